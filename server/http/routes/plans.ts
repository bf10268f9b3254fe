import { plan, pageOf } from '@netra/contract';
import { listPlans } from '../../plans/index.ts';
import { route, type NetraApp } from '../index.ts';

/** The plans on sale: nobody's data, so no sign-in. */
export function planRoutes(app: NetraApp): void {
  route(app, 'listPlans', {
    response: pageOf(plan),
    handle: async ({ ctx }) => {
      const plans = await listPlans({ platform: ctx.platform });
      return { items: plans.map(({ plan_id, ...terms }) => ({ plan: plan_id, ...terms })), next: null };
    },
  });
}
