import { NetraError } from '@netra/contract';
import { parseInput, type Ctx } from '../platform/index.ts';
import { requireManager } from './require-steward.ts';
import { webhookInput } from './schemas.ts';
import { enableWebhookStatement, type EndpointRow } from './sql/endpoints.ts';

/** Lets an endpoint that was disabled be sent to again; what it missed is sent on request. Throws `not_found`. */
export async function enableWebhook({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<EndpointRow> {
  requireManager(ctx);
  const { webhook } = parseInput(webhookInput, input);
  const { org_id } = ctx.principal;
  const [row] = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<EndpointRow>(enableWebhookStatement(org_id, webhook)),
  );
  if (row === undefined) throw new NetraError('not_found', 'There is no such webhook.', { webhook });
  return row;
}
