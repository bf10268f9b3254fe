import type { Ctx } from '../platform/index.ts';
import { ask } from './ask.ts';
import type { Answer, CoverageRow, DayRow, FeatureRow, ModelRow, TotalsRow, UsageScope, UserRow } from './schemas.ts';
import * as usage from './sql/usage-questions.ts';

interface Question {
  readonly ctx: Ctx;
  readonly input: UsageScope;
}

/** Calls, tokens and cost; exactly one row. */
export function usageTotals({ ctx, input }: Question): Promise<Answer<TotalsRow>> {
  return ask(ctx, usage.totals, input);
}

/** The same for each day that has calls, oldest first. */
export function usageByDay({ ctx, input }: Question): Promise<Answer<DayRow>> {
  return ask(ctx, usage.byDay, input);
}

/** The same for each model, dearest first. */
export function usageByModel({ ctx, input }: Question): Promise<Answer<ModelRow>> {
  return ask(ctx, usage.byModel, input);
}

/** The same for each user that is named, dearest first, beside the median user. */
export function usageByUser({ ctx, input }: Question): Promise<Answer<UserRow>> {
  return ask(ctx, usage.byUser, input);
}

/** The same for each feature, dearest first. */
export function usageByFeature({ ctx, input }: Question): Promise<Answer<FeatureRow>> {
  return ask(ctx, usage.byFeature, input);
}

/** Which days and columns the data has, so that nobody concludes from what is not there; exactly one row. */
export function dataCoverage({ ctx, input }: Question): Promise<Answer<CoverageRow>> {
  return ask(ctx, usage.coverage, input);
}
