import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { parseInput, type Ctx } from '../platform/index.ts';
import { planOf } from './plan-of.ts';
import { planThatLifts } from './plan-that-lifts.ts';

const input = z.object({ feature: z.enum(['usage_import', 'ledger_export']) });
export type RequireFeatureInput = z.input<typeof input>;

/** Returns if the plan has the feature; throws `plan_limit` that names the plan which does. */
export async function requireFeature({ ctx, input: raw }: { ctx: Ctx; input: RequireFeatureInput }): Promise<void> {
  const { feature } = parseInput(input, raw);
  const { plan_id, features } = await planOf({ ctx, input: {} });
  if (features.includes(feature)) return;
  const lifts = await planThatLifts({ platform: ctx.platform, limit: 'features', name: feature });
  throw new NetraError('plan_limit', `The ${plan_id} plan does not include ${feature}.`, {
    limit: 'features',
    used: feature,
    max: features.join(', '),
    plan_that_lifts_it: lifts,
  });
}
