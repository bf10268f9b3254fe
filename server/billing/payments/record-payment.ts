import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { oneRow, parseInput, type Platform } from '../../platform/index.ts';
import { findInvoices } from '../invoices/index.ts';
import { reference, usd } from './schemas.ts';
import { recordPaymentStatement, type PaymentRecorded } from './sql/payments.ts';

const input = z.object({
  number: z.string().min(1).max(64),
  amount_usd: usd,
  reference,
  by: z.string().min(1).max(200),
});
export type RecordPaymentInput = z.input<typeof input>;

/**
 * The operator says that money for an invoice has come. Recorded once for each reference; the invoice is paid when
 * enough has come, and what is too little or too much stays visible. Throws `not_found`, and `conflict` where the same
 * reference was recorded with another amount.
 */
export async function recordPayment({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: RecordPaymentInput;
}): Promise<PaymentRecorded> {
  const { number, amount_usd, reference: provider_ref, by } = parseInput(input, raw);
  const [invoice] = await findInvoices({ platform, input: { number } });
  if (invoice === undefined) throw new NetraError('not_found', `There is no invoice ${number}.`);
  const money = { org_id: invoice.org_id, provider: 'manual', provider_ref, amount_usd, by, note: '' };
  return oneRow(await platform.postgres.call<PaymentRecorded>(recordPaymentStatement(invoice.invoice_id, money)));
}
