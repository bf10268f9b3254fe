import type { Ctx } from '../platform/index.ts';
import { ask } from './ask.ts';
import type {
  Answer,
  DuplicateRow,
  OffPeakRow,
  OutputHeavyRow,
  OversizedRow,
  RepeatedPromptRow,
  RetryRow,
  ShortCallRow,
  UsageScope,
} from './schemas.ts';
import * as waste from './sql/waste-questions.ts';

interface Question {
  readonly ctx: Ctx;
  readonly input: UsageScope;
}

/** Prefixes that were paid in full again and again, by feature and model; most cacheable tokens first. */
export function repeatedPrompts({ ctx, input }: Question): Promise<Answer<RepeatedPromptRow>> {
  return ask(ctx, waste.repeatedPrompts, input);
}

/** The very same prompt answered more than once; dearest first. */
export function exactDuplicates({ ctx, input }: Question): Promise<Answer<DuplicateRow>> {
  return ask(ctx, waste.exactDuplicates, input);
}

/** Calls with far more input than their feature usually needs; largest excess first. */
export function oversizedContext({ ctx, input }: Question): Promise<Answer<OversizedRow>> {
  return ask(ctx, waste.oversizedContext, input);
}

/** Features that write at least as much as they read. */
export function outputHeavy({ ctx, input }: Question): Promise<Answer<OutputHeavyRow>> {
  return ask(ctx, waste.outputHeavy, input);
}

/** Failed calls and retries, and what they cost. */
export function retriesAndErrors({ ctx, input }: Question): Promise<Answer<RetryRow>> {
  return ask(ctx, waste.retriesAndErrors, input);
}

/** How much of each feature runs at night: what nobody waits for can go through a batch API. */
export function offPeakShare({ ctx, input }: Question): Promise<Answer<OffPeakRow>> {
  return ask(ctx, waste.offPeakShare, input);
}

/** Calls with short questions and very short answers; dearest first. */
export function shortCalls({ ctx, input }: Question): Promise<Answer<ShortCallRow>> {
  return ask(ctx, waste.shortCalls, input);
}
