import type { Platform } from '../../platform/index.ts';
import { readDatedFeesStatement, readDatedPlansStatement, type DatedFee, type DatedPlan } from '../sql/plan-book.ts';
import { readBookRevision } from './change-book.ts';
import type { PlanBook } from './compare-book.ts';

/** Every dated row of plans and fees: past, in force, planned. For operators; nobody's data. */
export async function readPlanBook({ platform }: { platform: Platform }): Promise<PlanBook> {
  // The revision first: whatever is written after it makes an import start over.
  const { revision, now } = await readBookRevision({ platform });
  const { postgres } = platform;
  const plans = await postgres.call<DatedPlan>(readDatedPlansStatement());
  return { revision, now, plans, fees: await postgres.call<DatedFee>(readDatedFeesStatement()) };
}
