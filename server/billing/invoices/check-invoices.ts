import type { Breach, Postgres } from '../../platform/index.ts';
import { checkInvoicesStatement } from './sql/examination.ts';

/** M5 over every organisation, read-only. None = the lines are the totals, and the totals the ledger. */
export async function checkInvoices({
  platform,
}: {
  platform: { readonly postgres: Pick<Postgres, 'call'> };
}): Promise<readonly Breach[]> {
  return platform.postgres.call<Breach>(checkInvoicesStatement());
}
