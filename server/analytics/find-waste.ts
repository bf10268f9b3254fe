import type { Ctx } from '../platform/index.ts';
import { ask } from './ask.ts';
import type { Answer, UsageScope } from './schemas.ts';
import * as change from './sql/change-questions.ts';
import * as waste from './sql/waste-questions.ts';
import type * as rows from './waste-rows.ts';

interface Question {
  readonly ctx: Ctx;
  readonly input: UsageScope;
}

/** Prefixes that were paid in full again and again, by feature and model; most cacheable tokens first. */
export function repeatedPrompts({ ctx, input }: Question): Promise<Answer<rows.RepeatedPromptRow>> {
  return ask(ctx, waste.repeatedPrompts, input);
}

/** The very same prompt answered more than once; dearest first. */
export function exactDuplicates({ ctx, input }: Question): Promise<Answer<rows.DuplicateRow>> {
  return ask(ctx, waste.exactDuplicates, input);
}

/** Calls with far more input than their feature usually needs; largest excess first. */
export function oversizedContext({ ctx, input }: Question): Promise<Answer<rows.OversizedRow>> {
  return ask(ctx, waste.oversizedContext, input);
}

/** Answers far longer than their feature usually gives; largest excess first. */
export function outputHeavy({ ctx, input }: Question): Promise<Answer<rows.OutputHeavyRow>> {
  return ask(ctx, waste.outputHeavy, input);
}

/** Failed calls and retries, and what they cost. */
export function retriesAndErrors({ ctx, input }: Question): Promise<Answer<rows.RetryRow>> {
  return ask(ctx, waste.retriesAndErrors, input);
}

/** When each feature runs, and whether users are named: what nobody waits for can go through a batch API. */
export function offPeakShare({ ctx, input }: Question): Promise<Answer<rows.OffPeakRow>> {
  return ask(ctx, waste.offPeakShare, input);
}

/** Calls with short questions and very short answers; dearest first. */
export function shortCalls({ ctx, input }: Question): Promise<Answer<rows.ShortCallRow>> {
  return ask(ctx, waste.shortCalls, input);
}

/** Users whose cost broke out of their own usual on a few days; dearest first. */
export function userBursts({ ctx, input }: Question): Promise<Answer<rows.UserBurstRow>> {
  return ask(ctx, change.userBursts, input);
}

/** Days on which a feature cost several times its usual; dearest first. */
export function costSpikes({ ctx, input }: Question): Promise<Answer<rows.CostSpikeRow>> {
  return ask(ctx, change.costSpikes, input);
}

/** Features whose usual prompt is longer at the end of the time than at its beginning. */
export function promptGrowth({ ctx, input }: Question): Promise<Answer<rows.PromptGrowthRow>> {
  return ask(ctx, change.promptGrowth, input);
}
