import { NetraError } from '@netra/contract';
import { parseInput, type Ctx } from '../platform/index.ts';
import { requireManager } from './require-steward.ts';
import { webhookInput } from './schemas.ts';
import { readWebhookStatement, type EndpointRow } from './sql/endpoints.ts';

/** One endpoint, without its secret. Throws `not_found`. */
export async function readWebhook({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<EndpointRow> {
  requireManager(ctx);
  const { webhook } = parseInput(webhookInput, input);
  const { org_id } = ctx.principal;
  const [row] = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<EndpointRow>(readWebhookStatement(org_id, webhook)),
  );
  if (row === undefined) throw new NetraError('not_found', 'There is no such webhook.', { webhook });
  return row;
}
