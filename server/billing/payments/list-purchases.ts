import { z } from 'zod';
import { parseInput, type Ctx } from '../../platform/index.ts';
import { requirePayer, timeCursor } from './schemas.ts';
import { listPurchasesStatement, type PurchaseRow } from './sql/purchases.ts';

const input = z.object({ limit: z.number().int().min(1).max(200).default(50), cursor: timeCursor });
export type ListPurchasesInput = z.input<typeof input>;

/** The organisation's purchases, newest first. Throws `forbidden`. */
export async function listPurchases({ ctx, input: raw }: { ctx: Ctx; input: ListPurchasesInput }): Promise<{
  readonly items: readonly PurchaseRow[];
  readonly next: string | null;
}> {
  requirePayer(ctx);
  const { limit, cursor } = parseInput(input, raw);
  const { org_id } = ctx.principal;
  const after = cursor === undefined ? null : { created_us: cursor.at_us, purchase_id: cursor.id };
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<PurchaseRow>(listPurchasesStatement(org_id, after, limit + 1)),
  );
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last ? `${last.created_us}.${last.purchase_id}` : null };
}
