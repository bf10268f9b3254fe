import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { forgetQuota } from './request-quota.ts';
import { planName } from './schemas.ts';
import { subscribeStatement, type PlanTerms } from './sql/plans.ts';

const input = z.object({ plan: planName });
export type SubscribeInput = z.input<typeof input>;

/**
 * Starts the organisation's subscription and gives the first period's credits, once however often it is called. An
 * organisation that has a subscription changes its plan instead. Throws `not_found` for a plan that is not on sale.
 */
export async function subscribe({ ctx, input: raw }: { ctx: Ctx; input: SubscribeInput }): Promise<PlanTerms> {
  const { plan } = parseInput(input, raw);
  const { platform, principal } = ctx;
  const statement = subscribeStatement(principal.org_id, platform.ids.uuid(), plan);
  const terms = oneRow(await platform.postgres.call<PlanTerms>(statement));
  await forgetQuota(platform, principal.org_id);
  return terms;
}
