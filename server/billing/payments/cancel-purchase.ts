import type { Ctx } from '../../platform/index.ts';
import { NetraError } from '@netra/contract';
import { providerOf } from './provider.ts';
import { readPurchase, type ReadPurchaseInput } from './read-purchase.ts';
import { cancelPurchaseStatement, type PurchaseRow } from './sql/purchases.ts';

/**
 * Ends a purchase that nobody has paid; again, it changes nothing. Throws `forbidden`, `not_found`, `conflict` for one
 * that was paid or is being paid, `unavailable` when the provider cannot be asked.
 */
export async function cancelPurchase({ ctx, input }: { ctx: Ctx; input: ReadPurchaseInput }): Promise<PurchaseRow> {
  const purchase = await readPurchase({ ctx, input });
  const { purchase_id, provider_ref } = purchase;
  if (purchase.state === 'pending' && provider_ref !== null) {
    const provider = await providerOf(ctx.platform);
    if (provider.name !== purchase.provider) {
      throw new NetraError('conflict', `This purchase waits for ${purchase.provider}, which is no longer in use here.`);
    }
    await provider.closePage(provider_ref);
  }
  await ctx.platform.postgres.call(cancelPurchaseStatement(ctx.principal.org_id, purchase_id));
  return readPurchase({ ctx, input });
}
