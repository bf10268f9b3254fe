import type { ModelUsage } from '@netra/contract';

/** Token counts over all model calls of a run. */
export interface TokenSums {
  readonly input: number;
  /** Of `input`: read from the provider's cache. */
  readonly cached: number;
  readonly output: number;
  readonly total: number;
}

export function sumTokens(calls: readonly ModelUsage[]): TokenSums {
  const sum = (of: (call: ModelUsage) => number): number => calls.reduce((total, call) => total + of(call), 0);
  const input = sum((call) => call.input_tokens);
  const output = sum((call) => call.output_tokens);
  return { input, cached: sum((call) => call.cached_input_tokens), output, total: input + output };
}
