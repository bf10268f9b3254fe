import type { Ctx } from '../platform/index.ts';
import { forgetQuota } from './request-quota.ts';
import { readSubscription } from './read-subscription.ts';
import { requireSteward } from './require-steward.ts';
import { cancelSubscriptionStatement, type SubscriptionRow } from './sql/subscriptions.ts';

/**
 * Ends the plan with its period; the organisation then falls to the plan that this installation signs up on. What was
 * granted lives as long as its plan said. Cancelling again changes nothing. Throws `forbidden`, `not_found`, and
 * `conflict` on the plan that a cancellation leads to.
 */
export async function cancelSubscription({ ctx }: { ctx: Ctx; input: Record<never, never> }): Promise<SubscriptionRow> {
  requireSteward(ctx, 'cancel the subscription');
  const { platform, principal } = ctx;
  await platform.postgres.call(cancelSubscriptionStatement(principal.org_id, platform.config.signup_plan));
  await forgetQuota(platform, principal.org_id);
  return readSubscription({ ctx, input: {} });
}
