import { parseInput, type Ctx } from '../platform/index.ts';
import { readWebhook } from './read-webhook.ts';
import { listDeliveriesInput } from './schemas.ts';
import { listDeliveriesStatement, type DeliveryRow } from './sql/deliveries.ts';

/** What one endpoint was and will be sent, newest first; kept for 30 days after its end. Throws `not_found`. */
export async function listDeliveries({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<{
  readonly items: readonly DeliveryRow[];
  readonly next: string | null;
}> {
  const { webhook, limit, cursor } = parseInput(listDeliveriesInput, input);
  await readWebhook({ ctx, input: { webhook } });
  const { org_id } = ctx.principal;
  const before = cursor === undefined ? null : BigInt(cursor);
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<DeliveryRow>(listDeliveriesStatement(org_id, webhook, before, limit + 1)),
  );
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? (items.at(-1)?.ordinal.toString() ?? null) : null };
}
