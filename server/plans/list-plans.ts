import type { Platform } from '../platform/index.ts';
import { listPlansStatement, type PlanRow } from './sql/plans.ts';

/** The plans on sale, cheapest first. Nobody's data: needs no tenant. */
export async function listPlans({ platform }: { platform: Platform }): Promise<readonly PlanRow[]> {
  return platform.postgres.call<PlanRow>(listPlansStatement());
}
