import type { Platform } from '../../platform/index.ts';
import { issueInvoices } from './issue-invoices.ts';
import { orgsToInvoiceStatement } from './sql/invoices.ts';

/**
 * For a schedule: invoices the closed periods of at most `limit` organisations. One that fails is logged and does not
 * hold the others up. Returns how many organisations it visited.
 */
export async function issueDueInvoices({ platform, limit }: { platform: Platform; limit: number }): Promise<number> {
  const due = await platform.postgres.call<{ org_id: string }>(orgsToInvoiceStatement(limit));
  for (const { org_id } of due) {
    try {
      await issueInvoices({ platform, org_id });
    } catch (error) {
      platform.log.error({ err: error, org_id }, 'an organisation could not be invoiced');
    }
  }
  return due.length;
}
