import { oneRow, type Ctx } from '../platform/index.ts';
import { requireSteward } from './require-steward.ts';
import { readSubscriptionStatement, type SubscriptionRow } from './sql/subscriptions.ts';

/**
 * The organisation's subscription: plan, period, what waits for its end. A period that has ended rolls forward first.
 * Throws `forbidden` unless an owner or admin asks, `not_found` without a subscription.
 */
export async function readSubscription({ ctx }: { ctx: Ctx; input: Record<never, never> }): Promise<SubscriptionRow> {
  requireSteward(ctx, 'see the subscription');
  return oneRow(await ctx.platform.postgres.call<SubscriptionRow>(readSubscriptionStatement(ctx.principal.org_id)));
}
