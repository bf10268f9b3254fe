import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { oneRow, parseInput, type Platform } from '../../platform/index.ts';
import { manualProvider } from './manual.ts';
import { providerOf, type PaymentProvider } from './provider.ts';
import { purchaseId, reference } from './schemas.ts';
import { orgOfPurchase } from './settle-purchase.ts';
import { beginRefundStatement, finishRefundStatement, type RefundBegun } from './sql/payments.ts';

const input = z.object({
  purchase_id: purchaseId,
  reason: z.string().trim().min(1).max(150),
  /** How the money goes back where the operator sends it. */
  reference: reference.optional(),
  by: z.string().min(1).max(200),
});
export type RefundPurchaseInput = z.input<typeof input>;

/**
 * Gives a purchase back: what is unspent of its credits is taken first, in one transaction; then the provider sends the
 * whole payment back; then that is recorded. Stopped in between, it goes on where it was when it is asked again. Throws
 * `not_found`, `conflict` for a purchase that is not paid or has credits on hold, `unavailable` when the provider cannot
 * be asked (the credits are back by then; ask again).
 */
export async function refundPurchase({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: RefundPurchaseInput;
}): Promise<RefundBegun> {
  const { purchase_id, reason, by, ...given } = parseInput(input, raw);
  const org_id = await orgOfPurchase(platform, purchase_id);
  const begun = oneRow(await platform.postgres.call<RefundBegun>(beginRefundStatement(org_id, purchase_id, reason)));
  if (begun.refunded) return begun;
  const provider = await providerNamed(platform, begun.provider);
  const { payment_ref, total_usd } = begun;
  const sent = given.reference ?? (await provider.refund({ purchase_id, payment_ref, total_usd }));
  await platform.postgres.call(finishRefundStatement(org_id, purchase_id, sent, by, reason));
  return { ...begun, refunded: true };
}

/** The provider that took the money, which need not be the one in use now. */
async function providerNamed(platform: Platform, name: string): Promise<PaymentProvider> {
  if (name === 'manual') return manualProvider;
  const provider = await providerOf(platform);
  if (provider.name === name) return provider;
  throw new NetraError(
    'conflict',
    `The money came by ${name}, which is not in use here: send it back there, then give --reference.`,
  );
}
