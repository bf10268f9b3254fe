import type { CoverageRow } from '../../analytics/index.ts';
import { enough_calls, enough_days } from '../findings/finding.ts';

export type Phase = 'triage' | 'data' | 'optimization' | 'research';

/** A question that a tool answers, and what the data must have for the answer to mean anything. */
export interface Question {
  readonly tool: string;
  readonly phase: Phase;
  readonly about: string;
  /** What is missing, or null when the question can be asked. */
  missing(coverage: CoverageRow): string | null;
}

const always = (): null => null;

function lacks(column: keyof CoverageRow, what: string): (coverage: CoverageRow) => string | null {
  return (coverage) => (coverage[column] === 0 ? `no call has ${what}` : null);
}

function first(
  ...checks: readonly ((coverage: CoverageRow) => string | null)[]
): (coverage: CoverageRow) => string | null {
  return (coverage) => checks.reduce<string | null>((missing, check) => missing ?? check(coverage), null);
}

const tooFew = ({ rows }: CoverageRow): string | null =>
  rows < enough_calls ? `there are ${rows} calls, fewer than ${enough_calls}` : null;
const tooShort = ({ days }: CoverageRow): string | null =>
  days < enough_days ? `the data covers ${days} day${days === 1 ? '' : 's'}, fewer than ${enough_days}` : null;
const noTwoWeeks = ({ days }: CoverageRow): string | null =>
  days < 14 ? `the data covers ${days} day${days === 1 ? '' : 's'}, fewer than 14` : null;
const noFailures = ({ with_error, with_retry_of }: CoverageRow): string | null =>
  with_error + with_retry_of === 0 ? 'no call failed or was made again, or that is not recorded' : null;
const noCost = lacks('with_cost', 'a cost: name the model, so that the price book can give one');
const noModel = lacks('with_model', 'a model');

/** All questions, in the order in which they are asked. The planner decides by it, and so does the report. */
export const questions: readonly Question[] = [
  { tool: 'usage_coverage', phase: 'triage', about: 'what the data has', missing: always },
  { tool: 'usage_totals', phase: 'triage', about: 'the totals', missing: always },
  { tool: 'usage_by_day', phase: 'data', about: 'the days', missing: always },
  { tool: 'usage_by_model', phase: 'data', about: 'the models', missing: noModel },
  { tool: 'usage_by_feature', phase: 'data', about: 'the features', missing: lacks('with_feature', 'a feature') },
  { tool: 'usage_by_user', phase: 'data', about: 'the users', missing: lacks('with_user', 'a user') },
  { tool: 'forecast_usage', phase: 'data', about: 'a forecast', missing: first(noCost, tooShort) },
  {
    tool: 'find_exact_duplicates',
    phase: 'optimization',
    about: 'repeated questions',
    missing: first(noCost, lacks('with_prompt_hash', 'a prompt hash'), tooFew),
  },
  {
    tool: 'find_repeated_prompts',
    phase: 'optimization',
    about: 'prompt caching',
    missing: first(noCost, lacks('with_prefix_hash', 'a prefix hash'), tooFew),
  },
  {
    tool: 'find_oversized_context',
    phase: 'optimization',
    about: 'oversized context',
    missing: first(noCost, tooFew),
  },
  { tool: 'find_output_heavy', phase: 'optimization', about: 'long answers', missing: first(noCost, tooFew) },
  {
    tool: 'find_paid_failures',
    phase: 'optimization',
    about: 'paid failures',
    missing: first(noCost, noFailures),
  },
  { tool: 'find_batch_work', phase: 'optimization', about: 'work for a batch API', missing: first(noCost, tooShort) },
  {
    tool: 'find_cost_outliers',
    phase: 'optimization',
    about: 'users out of line',
    missing: first(noCost, lacks('with_user', 'a user'), tooFew, tooShort),
  },
  { tool: 'find_cost_spikes', phase: 'optimization', about: 'days out of line', missing: first(noCost, noTwoWeeks) },
  {
    tool: 'find_prompt_growth',
    phase: 'optimization',
    about: 'prompts that grow',
    missing: first(noCost, lacks('with_feature', 'a feature'), noTwoWeeks),
  },
  { tool: 'find_smaller_model', phase: 'optimization', about: 'smaller models', missing: first(noCost, tooFew) },
  { tool: 'compare_scenarios', phase: 'research', about: 'what would be if', missing: first(noCost, tooShort) },
];
