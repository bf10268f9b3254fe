import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { requireManager } from './require-steward.ts';
import { keyedWebhookInput } from './schemas.ts';
import { testWebhookStatement } from './sql/deliveries.ts';
import { maxAsked } from './resend-delivery.ts';

/**
 * Has a `webhook.test` message sent to an endpoint; the same key again is the same message. Throws `not_found`,
 * `conflict` if the endpoint is disabled, `rate_limited` if too much waits for it.
 */
export async function testWebhook({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<{ readonly message: string }> {
  requireManager(ctx);
  const { webhook, idempotency_key } = parseInput(keyedWebhookInput, input);
  const { platform, principal } = ctx;
  const statement = testWebhookStatement(principal.org_id, webhook, idempotency_key, maxAsked);
  return oneRow(await platform.postgres.call<{ message: string }>(statement));
}
