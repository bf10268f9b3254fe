import { changePlanBody, planChange, subscription } from '@netra/contract';
import {
  cancelSubscription,
  changePlan,
  reactivateSubscription,
  readSubscription,
  type SubscriptionRow,
} from '../../plans/index.ts';
import { route, type NetraApp } from '../index.ts';

function shown(row: SubscriptionRow) {
  const { subscription_id, plan_id, next_plan_id, ended_plan_id, period_index, ...terms } = row;
  return {
    ...terms,
    subscription: subscription_id,
    plan: plan_id,
    next_plan: next_plan_id,
    ended_plan: ended_plan_id,
    period: period_index,
  };
}

/** The caller's own subscription. Each of these can be repeated: the second time changes nothing. */
export function subscriptionRoutes(app: NetraApp): void {
  route(app, 'readSubscription', {
    response: subscription,
    handle: async ({ ctx }) => shown(await readSubscription({ ctx, input: {} })),
  });
  route(app, 'changePlan', {
    body: changePlanBody,
    response: planChange,
    async handle({ ctx, body }) {
      const { plan_id, next_plan_id, ...change } = await changePlan({ ctx, input: body });
      return { ...change, plan: plan_id, next_plan: next_plan_id };
    },
  });
  route(app, 'cancelSubscription', {
    response: subscription,
    handle: async ({ ctx }) => shown(await cancelSubscription({ ctx, input: {} })),
  });
  route(app, 'reactivateSubscription', {
    response: subscription,
    handle: async ({ ctx }) => shown(await reactivateSubscription({ ctx, input: {} })),
  });
}
