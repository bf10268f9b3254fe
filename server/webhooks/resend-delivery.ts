import { parseInput, type Ctx } from '../platform/index.ts';
import { requireManager } from './require-steward.ts';
import { messageInput } from './schemas.ts';
import { resendDeliveryStatement } from './sql/deliveries.ts';

/** What may wait for an endpoint before more can be asked for by hand. */
export const maxAsked = 100;

/**
 * Has a message sent again under the `webhook-id` that it always had: receivers that keep ids do it once. Safe to
 * repeat. Throws `not_found`, `conflict` if the endpoint is disabled, `rate_limited` if too much waits for it.
 */
export async function resendDelivery({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<{ message: string }> {
  requireManager(ctx);
  const { webhook, message } = parseInput(messageInput, input);
  const { platform, principal } = ctx;
  await platform.postgres.call(resendDeliveryStatement(principal.org_id, webhook, message, maxAsked));
  return { message };
}
