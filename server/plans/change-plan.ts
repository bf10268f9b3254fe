import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { forgetQuota } from './request-quota.ts';
import { requireSteward } from './require-steward.ts';
import { planName } from './schemas.ts';
import { changePlanStatement, changeUnpaidPlanStatement, type PlanChange } from './sql/plans.ts';

const input = z.object({ plan: planName });
export type ChangePlanInput = z.input<typeof input>;

/**
 * Changes the plan: up at once, with the prorated difference of the credits; down at the end of the period; the current
 * one again drops a change that waits. Only an owner or admin may. Throws `forbidden`, `not_found`, and `conflict` for a
 * dearer plan where a payment provider carries money: that is paid first (`createPlanCheckout`).
 */
export async function changePlan({ ctx, input: raw }: { ctx: Ctx; input: ChangePlanInput }): Promise<PlanChange> {
  const { platform, principal } = ctx;
  requireSteward(ctx, 'change the plan');
  const { plan } = parseInput(input, raw);
  const paidFirst = platform.config.payments.provider !== 'manual';
  const statement = paidFirst ? changeUnpaidPlanStatement : changePlanStatement;
  const change = oneRow(await platform.postgres.call<PlanChange>(statement(principal.org_id, plan)));
  await forgetQuota(platform, principal.org_id);
  return change;
}
