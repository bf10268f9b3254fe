import type { Fault, Postgres, Transaction } from '../../platform/index.ts';
import { howToMend } from './how-to-mend.ts';
import {
  checkBillingStatement,
  enterOrgStatement,
  explainBillingStatement,
  explainSeriesStatement,
  type InvoiceBreachRow,
  type InvoiceFaultRow,
} from './sql/examination.ts';

/** How long one statement may read: the hash of a million documents, with room. */
const statement_timeout_ms = 15 * 60_000;
/** Breaches that are told: what is wrong everywhere is seen by fewer. */
const maxBreaches = 10_000;
/** Organisations whose rows at fault are told; a broken installation is mended one organisation at a time. */
const maxOrgs = 20;
/** Rows of one kind that are told; `of` says how many there are. */
const maxRows = 5;
/** The series run through all organisations: their breaches belong to none. */
const nobody = '00000000-0000-0000-0000-000000000000';

export interface InvoiceExamination {
  readonly breaches: readonly InvoiceBreachRow[];
  readonly faults: readonly Fault[];
}

/**
 * M5, documents and payments, over every organisation, or over one (without the series of numbers, which are not one's),
 * and where it is broken the rows at fault. One snapshot, in which PostgreSQL itself refuses to write. Throws nothing on a breach.
 */
export async function examineInvoices({
  platform,
  input: { org_id },
}: {
  platform: { readonly postgres: Pick<Postgres, 'inSnapshot'> };
  input: { readonly org_id?: string | undefined };
}): Promise<InvoiceExamination> {
  return platform.postgres.inSnapshot(statement_timeout_ms, async (tx) => {
    if (org_id !== undefined) await tx.rows(enterOrgStatement(org_id));
    const scope = org_id === undefined ? 'all' : 'seen';
    const breaches = await tx.rows<InvoiceBreachRow>(checkBillingStatement(scope, maxBreaches));
    const orgs = [...new Set(breaches.map((breach) => breach.org_id))];
    const faults = orgs.includes(nobody) ? await told(tx, explainSeriesStatement(maxRows)) : [];
    for (const each of orgs.filter((org) => org !== nobody).slice(0, maxOrgs)) {
      await tx.rows(enterOrgStatement(each));
      faults.push(...(await told(tx, explainBillingStatement(each, maxRows))));
    }
    return { breaches, faults };
  });
}

async function told(tx: Transaction, statement: ReturnType<typeof explainSeriesStatement>): Promise<Fault[]> {
  const rows = await tx.rows<InvoiceFaultRow>(statement);
  return rows.map((row) => ({ ...row, of: Number(row.of), ...howToMend(row) }));
}
