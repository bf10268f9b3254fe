import type { Postgres } from '../../platform/index.ts';
import { checkInvoicesStatement, type InvoiceBreachRow } from './sql/examination.ts';

/** M5 over every organisation, read-only. None = the lines are the totals, and the totals the ledger. */
export async function checkInvoices({
  platform,
}: {
  platform: { readonly postgres: Pick<Postgres, 'call'> };
}): Promise<readonly InvoiceBreachRow[]> {
  return platform.postgres.call<InvoiceBreachRow>(checkInvoicesStatement());
}
