import type { UsageMeasures } from './schemas.ts';

/** Rows of the questions about waste. Tokens and money are exact decimal strings; counts of calls are numbers. */

/** Prompt prefixes sent again and again. All calls but the first of a prefix could have read it from a cache. */
export interface RepeatedPromptRow {
  readonly feature: string;
  readonly model: string;
  /** Different prefixes that were sent at least twice. */
  readonly prefixes: number;
  readonly calls: number;
  /** Length of the longest shared prefix: as reported, else the shortest input of its calls (an upper bound). */
  readonly prefix_tokens: string;
  readonly prefix_tokens_reported: boolean;
  readonly input_tokens: string;
  readonly cached_input_tokens: string;
  /** Tokens paid at the full input price although an earlier call had sent the same prefix. */
  readonly cacheable_tokens: string;
  /** Those of calls within 5 minutes of the prefix's call before: what a short-lived cache keeps. */
  readonly cacheable_tokens_5min: string;
  /** Tokens that a cache of 5 minutes would have to be written with. */
  readonly written_tokens_5min: string;
  readonly cost_usd: string;
}

/** The very same prompt to the same model, answered more than once (retries of failed calls are not counted). */
export interface DuplicateRow {
  readonly feature: string;
  readonly model: string;
  readonly prompts: number;
  readonly calls: number;
  readonly extra_calls: number;
  /** Calls with a prompt hash, repeated or not. */
  readonly all_calls: number;
  readonly extra_input_tokens: string;
  readonly extra_cached_input_tokens: string;
  readonly extra_output_tokens: string;
  /** What the calls after the first cost: saved in full by a response cache. */
  readonly extra_cost_usd: string;
}

/** Calls whose input is over four times the median of their feature and model, for an answer of ordinary length. */
export interface OversizedRow {
  readonly feature: string;
  readonly model: string;
  readonly calls: number;
  readonly median_input_tokens: string;
  /** Over four times the median, whatever the answer. */
  readonly long_calls: number;
  /** Over twice the median, up to four times. */
  readonly between_calls: number;
  readonly oversized_calls: number;
  readonly oversized_input_tokens: string;
  /** Σ (input − median input) over the oversized calls. */
  readonly excess_input_tokens: string;
  /** The part of it that may have come from the cache, at most. */
  readonly excess_cached_input_tokens: string;
  readonly oversized_cost_usd: string;
}

/** Answers over four times the median of their feature and model, to prompts of ordinary length. */
export interface OutputHeavyRow {
  readonly feature: string;
  readonly model: string;
  readonly calls: number;
  readonly median_output_tokens: string;
  /** Over four times the median, whatever the prompt. */
  readonly longest_answers: number;
  /** Over twice the median, up to four times. */
  readonly between_answers: number;
  readonly long_answers: number;
  readonly long_output_tokens: string;
  readonly tokens_over_median: string;
  /** What a limit of twice the median would have cut off. */
  readonly tokens_over_twice_median: string;
  readonly long_cost_usd: string;
}

/** Calls that failed, worked for nobody (`dropped`: made again although they had worked), and calls made again. */
export interface RetryRow {
  readonly feature: string;
  readonly model: string;
  readonly error: string;
  readonly calls: number;
  readonly failed_calls: number;
  readonly failed_cost_usd: string;
  readonly dropped_calls: number;
  readonly dropped_cost_usd: string;
  /** Failed and paid, or dropped. */
  readonly wasted_calls: number;
  readonly wasted_input_tokens: string;
  readonly wasted_cached_input_tokens: string;
  readonly wasted_output_tokens: string;
  readonly wasted_cost_usd: string;
  readonly retry_calls: number;
  readonly retry_cost_usd: string;
}

/** A feature by the hours in which it runs. */
export interface OffPeakRow {
  readonly feature: string;
  readonly model: string;
  readonly calls: number;
  /** Users who are named; calls without one count for none. */
  readonly users: number;
  readonly active_days: number;
  /** Between 22:00 and 06:00 UTC. */
  readonly off_peak_calls: number;
  readonly off_peak_share: number;
  readonly input_tokens: string;
  readonly cached_input_tokens: string;
  readonly output_tokens: string;
  readonly cost_usd: string;
  /** 24 counts, from 00:00 UTC on. */
  readonly calls_by_hour: readonly number[];
}

/** Short questions with very short answers, per feature and model. */
export type ShortCallRow = UsageMeasures & {
  readonly feature: string;
  readonly model: string;
  /** Calls of the same feature and model of any length. */
  readonly all_calls: number;
  readonly p95_output_tokens: string;
  readonly p95_input_tokens: string;
};

/** A user's days that cost over ten times that user's own median day, and over ten times everybody's. */
export interface UserBurstRow {
  readonly user_id: string;
  /** Named users in all. */
  readonly users: number;
  readonly active_days: number;
  readonly own_median_day_usd: string;
  readonly median_day_usd: string;
  readonly burst_days: number;
  /** The first 20. */
  readonly days: readonly string[];
  readonly burst_calls: number;
  readonly burst_cost_usd: string;
}

/** A feature's days that cost over four times the median day of their kind. */
export interface CostSpikeRow {
  readonly feature: string;
  readonly kind_of_day: 'working day' | 'weekend';
  readonly active_days: number;
  readonly median_day_calls: number;
  readonly median_day_usd: string;
  /** The dearest day that is no spike. */
  readonly largest_other_day_usd: string;
  readonly spike_days: number;
  /** The first 20. */
  readonly days: readonly string[];
  readonly spike_calls: number;
  readonly smallest_spike_usd: string;
  readonly spike_cost_usd: string;
  /** What the dearest named user of each of these days cost, summed. */
  readonly dearest_users_usd: string;
}

/** A feature whose median prompt grew: the first third of its days beside the last. */
export interface PromptGrowthRow {
  readonly feature: string;
  readonly model: string;
  readonly days: number;
  readonly first_day: string;
  readonly last_day: string;
  readonly days_in_a_third: number;
  readonly first_third_input: number;
  readonly last_third_input: number;
  readonly first_third_output: number;
  readonly last_third_output: number;
  readonly last_third_calls: number;
  readonly last_third_input_tokens: string;
  readonly last_third_cached_tokens: string;
  /** Correlation of the day's place and its median prompt: 1 = it grew evenly. */
  readonly steadiness: number;
}
