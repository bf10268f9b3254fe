import { NetraError } from '@netra/contract';
import type { Fault, Postgres, Transaction } from '../platform/index.ts';
import type { Breach } from './check-books.ts';
import { howToMend } from './how-to-mend.ts';
import {
  checkBooksStatement,
  checkChainStatement,
  enterOrgStatement,
  explainBooksStatement,
  hasOrgStatement,
  type BreachRow,
  type FaultRow,
} from './sql/examination.ts';

/** How long one statement may read: sums over ten million transfers, with room. */
const statement_timeout_ms = 15 * 60_000;
/** Breaches that are told: what is wrong everywhere is seen by fewer. */
const maxBreaches = 10_000;
/** Organisations whose rows at fault are told; a broken installation is mended one organisation at a time. */
const maxOrgs = 20;
/** Rows of one kind that are told; `of` says how many there are. */
const maxRows = 5;

export interface Examination {
  readonly breaches: readonly Breach[];
  readonly faults: readonly Fault[];
}

/**
 * M1–M3 and the chains over every organisation, or over one, and where they are broken the rows at fault. One snapshot, in which
 * PostgreSQL itself refuses to write; beside a busy server it sees the books as of one moment. Throws
 * `not_found` for an organisation that is not there, and nothing on a breach.
 */
export async function examineBooks({
  platform,
  input: { org_id },
}: {
  platform: { readonly postgres: Pick<Postgres, 'inSnapshot'> };
  input: { readonly org_id?: string | undefined };
}): Promise<Examination> {
  return platform.postgres.inSnapshot(statement_timeout_ms, async (tx) => {
    const breaches = await check(tx, org_id);
    const orgs = [...new Set(breaches.map((breach) => breach.org_id))];
    const faults: Fault[] = [];
    for (const each of orgs.slice(0, maxOrgs)) faults.push(...(await explain(tx, each)));
    return { breaches, faults };
  });
}

async function check(tx: Transaction, org_id: string | undefined): Promise<readonly Breach[]> {
  if (org_id !== undefined) {
    await tx.rows(enterOrgStatement(org_id));
    const [known] = await tx.rows(hasOrgStatement(org_id));
    if (known === undefined) throw new NetraError('not_found', 'There is no such organisation.', { org: org_id });
  }
  const scope = org_id === undefined ? 'all' : 'seen';
  const books = await tx.rows<BreachRow>(checkBooksStatement(scope, maxBreaches));
  return [...books, ...(await tx.rows<BreachRow>(checkChainStatement(scope, maxBreaches)))];
}

async function explain(tx: Transaction, org_id: string): Promise<readonly Fault[]> {
  await tx.rows(enterOrgStatement(org_id));
  const rows = await tx.rows<FaultRow>(explainBooksStatement(org_id, maxRows));
  return rows.map((row) => ({ ...row, of: Number(row.of), ...howToMend(row) }));
}
