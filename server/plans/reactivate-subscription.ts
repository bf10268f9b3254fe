import type { Ctx } from '../platform/index.ts';
import { forgetQuota } from './request-quota.ts';
import { readSubscription } from './read-subscription.ts';
import { requireSteward } from './require-steward.ts';
import {
  reactivateSubscriptionStatement,
  reactivateUnpaidPlanStatement,
  type SubscriptionRow,
} from './sql/subscriptions.ts';

/**
 * Takes a cancellation back. Before the end of the period it is dropped; after it, the plan that ended is subscribed
 * again, prorated from now on as any upgrade is. Where nothing was cancelled, or it was taken back before, nothing
 * changes. Throws `forbidden`, `not_found` if that plan is no longer on sale, and `conflict` where it is to be paid first.
 */
export async function reactivateSubscription({
  ctx,
}: {
  ctx: Ctx;
  input: Record<never, never>;
}): Promise<SubscriptionRow> {
  requireSteward(ctx, 'reactivate the subscription');
  const { platform, principal } = ctx;
  const paidFirst = platform.config.payments.provider !== 'manual';
  const statement = paidFirst ? reactivateUnpaidPlanStatement : reactivateSubscriptionStatement;
  await platform.postgres.call(statement(principal.org_id));
  await forgetQuota(platform, principal.org_id);
  return readSubscription({ ctx, input: {} });
}
