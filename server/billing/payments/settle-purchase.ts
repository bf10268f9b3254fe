import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { oneRow, parseInput, type Platform } from '../../platform/index.ts';
import { purchaseId, reference, usd } from './schemas.ts';
import { settlePurchaseStatement, type PurchaseSettled } from './sql/payments.ts';
import { orgOfPurchaseStatement } from './sql/purchases.ts';

const input = z.object({ purchase_id: purchaseId, amount_usd: usd, reference, by: z.string().min(1).max(200) });
export type SettlePurchaseInput = z.input<typeof input>;

/** Whose purchase it is. For operators; throws `not_found`. */
export async function orgOfPurchase(platform: Platform, purchase_id: string): Promise<string> {
  const statement = orgOfPurchaseStatement(purchase_id);
  const { org_id } = oneRow(await platform.postgres.call<{ org_id: string | null }>(statement));
  if (org_id === null) throw new NetraError('not_found', 'There is no such purchase.', { purchase: purchase_id });
  return org_id;
}

/**
 * The operator says that the money for a purchase has come: paid, recorded and granted in one transaction, once,
 * whoever else says so at the same moment. Throws `not_found`, and `conflict` for another amount than it costs or a
 * purchase that was cancelled or refunded.
 */
export async function settlePurchase({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: SettlePurchaseInput;
}): Promise<PurchaseSettled> {
  const { purchase_id, amount_usd, reference: provider_ref, by } = parseInput(input, raw);
  const org_id = await orgOfPurchase(platform, purchase_id);
  const money = { org_id, provider: 'manual', provider_ref, amount_usd, by, note: '' };
  return oneRow(await platform.postgres.call<PurchaseSettled>(settlePurchaseStatement(purchase_id, money)));
}
