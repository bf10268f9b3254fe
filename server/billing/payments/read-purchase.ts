import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { parseInput, type Ctx } from '../../platform/index.ts';
import { purchaseId, requirePayer } from './schemas.ts';
import { readPurchaseStatement, type PurchaseRow } from './sql/purchases.ts';

const input = z.object({ purchase_id: purchaseId });
export type ReadPurchaseInput = z.input<typeof input>;

/** One purchase of the organisation. Throws `forbidden`, `not_found`. */
export async function readPurchase({ ctx, input: raw }: { ctx: Ctx; input: ReadPurchaseInput }): Promise<PurchaseRow> {
  requirePayer(ctx);
  const { purchase_id } = parseInput(input, raw);
  const { org_id } = ctx.principal;
  const [purchase] = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<PurchaseRow>(readPurchaseStatement(org_id, purchase_id)),
  );
  if (purchase === undefined)
    throw new NetraError('not_found', 'There is no such purchase.', { purchase: purchase_id });
  return purchase;
}
