import type { Fault } from './fault.ts';
import type { Postgres, Statement, Transaction } from './postgres.ts';

/** Something that does not add up in an organisation. Amounts are decimal strings. */
export interface Breach {
  readonly org_id: string;
  readonly invariant: string;
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

/** A row at fault, as SQL names it; `of` says how many of its kind there are. */
export interface FaultRow {
  readonly invariant: string;
  readonly fault: string;
  readonly place: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly since: Date | null;
  readonly expected: string;
  readonly found: string;
  readonly of: bigint;
}

export type Advice = Pick<Fault, 'means' | 'mend'>;

/** `seen`: over what the caller sees, the tenant that the transaction has entered. */
export type Scope = 'all' | 'seen';

export interface Examination {
  readonly breaches: readonly Breach[];
  readonly faults: readonly Fault[];
}

export const examinationLimits = {
  /** How long one statement may read: sums over ten million transfers, with room. */
  statement_timeout_ms: 15 * 60_000,
  /** Breaches that are told: what is wrong everywhere is seen by fewer. */
  breaches: 10_000,
  /** Organisations whose rows at fault are told; a broken installation is mended one organisation at a time. */
  orgs: 20,
  /** Rows of one kind that are told. */
  rows: 5,
} as const;

/**
 * What does not add up, over every organisation or over one, and the rows behind it. One snapshot, in which PostgreSQL
 * itself refuses to write; beside a busy server it sees all as of one moment. Throws what `check` and `explain` throw.
 */
export async function examine({
  postgres,
  org_id,
  check,
  explain,
  howToMend,
}: {
  readonly postgres: Pick<Postgres, 'inSnapshot'>;
  readonly org_id: string | undefined;
  check(tx: Transaction, scope: Scope, limit: number): Promise<readonly Breach[]>;
  /** The rows at fault in the organisation that the transaction has entered; the first `limit` of each kind. */
  explain(tx: Transaction, org_id: string, limit: number): Promise<readonly FaultRow[]>;
  howToMend(row: FaultRow): Advice;
}): Promise<Examination> {
  const { statement_timeout_ms, breaches: maxBreaches, orgs: maxOrgs, rows: maxRows } = examinationLimits;
  return postgres.inSnapshot(statement_timeout_ms, async (tx) => {
    if (org_id !== undefined) await tx.rows(enterOrg(org_id));
    const breaches = await check(tx, org_id === undefined ? 'all' : 'seen', maxBreaches);
    const faults: Fault[] = [];
    for (const each of [...new Set(breaches.map((breach) => breach.org_id))].slice(0, maxOrgs)) {
      await tx.rows(enterOrg(each));
      const rows = await explain(tx, each, maxRows);
      faults.push(...rows.map((row) => ({ ...row, of: Number(row.of), ...howToMend(row) })));
    }
    return { breaches, faults };
  });
}

/** Of a kind of fault; one that this release does not know is told as it is. */
export function adviceOn(advice: Readonly<Record<string, Advice>>, fault: string): Advice {
  return advice[fault] ?? { means: 'A kind of fault that this release has no advice for.', mend: 'Report it.' };
}

/** Lets the transaction see one organisation, and no other. */
export function enterOrg(org_id: string): Statement {
  return { text: 'select netra.enter_org($1)', values: [org_id] };
}
