import type { LanguageModelV4Usage } from '@ai-sdk/provider';
import { rateUsage, type PriceList } from '../billing/index.ts';

/** A model call in tokens. */
interface Tokens {
  readonly input_tokens: number;
  /** Parts of the input. */
  readonly cached_input_tokens: number;
  readonly cache_write_tokens: number;
  readonly output_tokens: number;
  /** A part of the output. */
  readonly reasoning_tokens: number;
}

/** The most that a call can be: its prompt counted high, its output at the limit that it is given. */
export type MostTokens = Pick<Tokens, 'input_tokens' | 'output_tokens'>;

/** What has come of a model call so far. */
export interface Received {
  bytes: number;
  /** The provider's own count, which comes last. */
  usage: LanguageModelV4Usage | null;
}

/** No model takes more in one call: a larger count is a mistake. */
const max_count = 10_000_000;
/** What tokenizers make of text and JSON on average. */
const bytes_token = 4;

/**
 * What a call is charged for: the provider's counts, or, for one that it does not give, ours of what was sent and
 * received, at most what was reserved. Zero is no count where there was something: adapters and gateways write it when they
 * do not know, and it would make the call free. Nor is what is no whole number, negative or beyond all models.
 */
export function tokensOf(
  { bytes, usage }: Received,
  asked_bytes: number,
  most: MostTokens,
): Tokens & { readonly estimated?: true } {
  const input = counted(usage?.inputTokens.total);
  const output = counted(usage?.outputTokens.total) ?? (usage?.outputTokens.total === 0 && bytes === 0 ? 0 : null);
  const guess = (of_bytes: number, at_most: number): number => Math.min(at_most, Math.ceil(of_bytes / bytes_token));
  const input_tokens = input ?? guess(asked_bytes, most.input_tokens);
  const output_tokens = output ?? guess(bytes, most.output_tokens);
  const [cached_input_tokens, cache_write_tokens] = partsOf(
    input,
    usage?.inputTokens.cacheRead,
    usage?.inputTokens.cacheWrite,
  );
  const [reasoning_tokens] = partsOf(output, usage?.outputTokens.reasoning, 0);
  const tokens = { input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens };
  return input === null || output === null ? { ...tokens, estimated: true } : tokens;
}

/** The most that `most` can cost, in micro-credits: written caches and reasoning may be dearer than plain tokens. */
export function mostItCosts(model: string, most: MostTokens, prices: PriceList, at: Date): bigint {
  let cost_micro = 0n;
  for (const cache_write_tokens of [0, most.input_tokens]) {
    for (const reasoning_tokens of [0, most.output_tokens]) {
      const usage = { model, ...most, cached_input_tokens: 0, cache_write_tokens, reasoning_tokens, at };
      const rated = rateUsage(usage, prices);
      if (rated.cost_micro > cost_micro) cost_micro = rated.cost_micro;
    }
  }
  return cost_micro;
}

function counted(count: number | undefined): number | null {
  return count !== undefined && Number.isInteger(count) && count > 0 && count <= max_count ? count : null;
}

/** Parts of a whole; none where they cannot be, or where the whole is not the provider's. */
function partsOf(
  whole: number | null,
  first: number | undefined,
  second: number | undefined,
): readonly [number, number] {
  const parts = [counted(first) ?? 0, counted(second) ?? 0] as const;
  return whole !== null && parts[0] + parts[1] <= whole ? parts : [0, 0];
}
