import { parseInput, type Ctx } from '../platform/index.ts';
import { requireManager } from './require-steward.ts';
import { listWebhooksInput } from './schemas.ts';
import { listWebhooksStatement, type EndpointRow } from './sql/endpoints.ts';

/** The organisation's endpoints, oldest first, without their secrets. */
export async function listWebhooks({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<{
  readonly items: readonly EndpointRow[];
  readonly next: string | null;
}> {
  requireManager(ctx);
  const { limit, cursor = null } = parseInput(listWebhooksInput, input);
  const { org_id } = ctx.principal;
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<EndpointRow>(listWebhooksStatement(org_id, cursor, limit + 1)),
  );
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? (items.at(-1)?.webhook ?? null) : null };
}
