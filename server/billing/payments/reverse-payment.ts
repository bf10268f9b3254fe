import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { oneRow, parseInput, type Platform } from '../../platform/index.ts';
import { reference, usd } from './schemas.ts';
import { findPaymentsStatement, reversePaymentStatement, type FoundPayment } from './sql/payments.ts';

const input = z.object({
  payment_id: z.uuid(),
  amount_usd: usd,
  reference,
  by: z.string().min(1).max(200),
  reason: z.string().trim().min(1).max(150),
});
export type ReversePaymentInput = z.input<typeof input>;

/**
 * The operator says that money went back: a chargeback, a refund that was made elsewhere, a transfer that was withdrawn.
 * Once for each reference, never more than came; an invoice that it had paid is open again. Throws `not_found`,
 * and `conflict` where it paid for credits (refund the purchase) or is more than is left.
 */
export async function reversePayment({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: ReversePaymentInput;
}): Promise<{ readonly reversed: boolean }> {
  const { payment_id, reason, ...money } = parseInput(input, raw);
  const found = await platform.postgres.call<FoundPayment>(findPaymentsStatement(payment_id, 1));
  const [payment] = found;
  if (payment === undefined) throw new NetraError('not_found', 'There is no such payment.', { payment: payment_id });
  const statement = reversePaymentStatement(payment_id, { org_id: payment.org_id, note: reason, ...money });
  return oneRow(await platform.postgres.call<{ reversed: boolean }>(statement));
}
