import Big from 'big.js';
import type { Answer, DuplicateRow } from '../../analytics/index.ts';
import { count, isWorthSaying, lowerConfidence, monthArithmetic, named, perMonth, usd } from './finding.ts';
import type { Basis, Finding } from './finding.ts';

/** The same prompt to the same model again: a response cache saves all calls but the first. */
export function findExactDuplicates({ query, rows }: Answer<DuplicateRow>, basis: Basis): Finding[] {
  return rows.flatMap((row): Finding[] => {
    const cost = new Big(row.extra_cost_usd);
    if (!isWorthSaying(cost, basis)) return [];
    return [
      {
        kind: 'exact_duplicates',
        title: `Cache whole answers: ${named(row.feature)}, ${row.model}`,
        evidence:
          `${count(row.extra_calls)} of ${count(row.calls)} calls repeated one of ${count(row.prompts, 'prompt', 'prompts')} word ` +
          `for word and cost $${usd(cost)} (query ${query.name}).`,
        evidence_rows: [{ query: query.name, row: { ...row } }],
        arithmetic: `cost of the calls after the first: ${monthArithmetic(cost, basis)}`,
        // A cache with an expiry misses some repeats.
        saving_usd_month: perMonth({ low: cost.times('0.7'), expected: cost, high: cost }, basis),
        confidence: lowerConfidence('high', basis),
        effort: 'hours',
        risk: 'A cached answer may be out of date where the answer depends on time or on data outside the prompt.',
        experiment: 'Log the hit rate of a response cache keyed by prompt hash for a week, without serving from it.',
      },
    ];
  });
}
