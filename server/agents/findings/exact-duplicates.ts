import type { Answer, DuplicateRow } from '../../analytics/index.ts';
import { same, share } from './arithmetic.ts';
import { count, enough_calls, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found } from './finding.ts';
import { worthToday } from './worth-today.ts';

/** Below this share of a feature’s calls, people ask the same by chance, or ask again to get another answer. */
const min_share = 0.05;

/** The same prompt to the same model again: a response cache saves all calls but the first. */
export function findExactDuplicates({ query, rows }: Answer<DuplicateRow>, basis: Basis): Found {
  const findings = rows.flatMap((row) => {
    if (row.extra_calls < enough_calls || row.extra_calls / row.all_calls < min_share) return [];
    const { steps, worth } = worthToday(basis, row.model, row.extra_cost_usd, {
      input: row.extra_input_tokens,
      cached: row.extra_cached_input_tokens,
      output: row.extra_output_tokens,
    });
    if (!isWorthSaying(worth.value, basis)) return [];
    const draft = {
      kind: 'exact_duplicates',
      title: `Cache whole answers: ${named(row.feature)}, ${row.model}`,
      seen:
        `${count(row.extra_calls)} of ${count(row.all_calls)} calls repeated one of ` +
        `${count(row.prompts, 'prompt', 'prompts')} word for word and cost $${row.extra_cost_usd}`,
      steps,
      observed: {
        expected: { ...worth, says: 'the calls after the first' },
        // A cache with an expiry misses some repeats.
        low: share('low, if the cache misses three in ten', worth, '0.7'),
        high: same('high', worth),
      },
      confidence: 'high',
      effort: 'hours',
      risk: 'A cached answer may be out of date where the answer depends on time or on data outside the prompt.',
      experiment: 'Log the hit rate of a response cache keyed by prompt hash for a week, without serving from it.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps: [] };
}
