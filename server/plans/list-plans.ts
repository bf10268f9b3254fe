import type { Platform } from '../platform/index.ts';
import { listPlansStatement, type PlanRow } from './sql/plans.ts';

/** The plans on sale, cheapest first, with the agents that this installation runs. Nobody's data: needs no tenant. */
export async function listPlans({ platform }: { platform: Platform }): Promise<readonly PlanRow[]> {
  const plans = await platform.postgres.call<PlanRow>(listPlansStatement());
  if (platform.config.rehearsal) return plans;
  return plans.map((plan) => ({ ...plan, agents: plan.agents.filter((agent) => agent !== 'rehearsal') }));
}
