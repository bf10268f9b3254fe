import type { Platform } from '../../platform/index.ts';
import { issueInvoiceStatement, type Issued } from './sql/invoices.ts';

/** A century of months: a bound, not an expectation. */
const mostPeriods = 1_200;

/**
 * Invoices every closed period of an organisation, oldest first, a transaction each; periods with nothing to bill are
 * passed over. Returns the documents that were issued. Concurrent calls issue each once.
 */
export async function issueInvoices({
  platform,
  org_id,
}: {
  platform: Pick<Platform, 'postgres'>;
  org_id: string;
}): Promise<readonly Issued[]> {
  const issued: Issued[] = [];
  for (let period = 0; period < mostPeriods; period += 1) {
    const [done] = await platform.postgres.call<Issued>(issueInvoiceStatement(org_id));
    if (done === undefined) break;
    if (done.number !== null) issued.push(done);
  }
  return issued;
}
