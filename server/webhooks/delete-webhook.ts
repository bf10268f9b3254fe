import { NetraError } from '@netra/contract';
import { parseInput, type Ctx } from '../platform/index.ts';
import { requireManager } from './require-steward.ts';
import { webhookInput } from './schemas.ts';
import { deleteWebhookStatement } from './sql/endpoints.ts';

/** Ends an endpoint, and with it what waits for it and the list of what it got. Throws `not_found`. */
export async function deleteWebhook({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<void> {
  requireManager(ctx);
  const { webhook } = parseInput(webhookInput, input);
  const { org_id } = ctx.principal;
  const gone = await ctx.platform.postgres.inOrg(org_id, (tx) => tx.rows(deleteWebhookStatement(org_id, webhook)));
  if (gone.length === 0) throw new NetraError('not_found', 'There is no such webhook.', { webhook });
}
