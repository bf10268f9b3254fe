import Big from 'big.js';
import type { Answer, PromptGrowthRow } from '../../analytics/index.ts';
import { nothing, rounded, same } from './arithmetic.ts';
import { count, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found } from './finding.ts';

const min_growth = 1.25;
/** Correlation with time: it grew, and did not only wander. */
const min_steadiness = 0.8;
/** Answers that grew by half as much are a reason. */
const max_output_growth = 0.5;

/** Prompts that became longer over the weeks for answers of the same length: history or instructions that pile up. */
export function findPromptGrowth({ query, rows }: Answer<PromptGrowthRow>, basis: Basis): Found {
  const findings = rows.flatMap((row) => {
    const price = basis.priceOf(row.model);
    if (price === null || !hasGrown(row)) return [];
    const cached = new Big(row.last_third_cached_tokens).div(row.last_third_input_tokens);
    const read = price.cached_input ?? price.input;
    const unit = rounded(price.input.times(new Big(1).minus(cached)).plus(read.times(cached)));
    const steps = [
      {
        says: 'price of a million input tokens, as far as they were cached',
        expression:
          `(${row.last_third_input_tokens} − ${row.last_third_cached_tokens}) / ${row.last_third_input_tokens} × ` +
          `${price.input.toFixed()} + ${row.last_third_cached_tokens} / ${row.last_third_input_tokens} × ${read.toFixed()}`,
        value: unit,
      },
    ];
    const grown = new Big(row.last_third_input).minus(row.first_third_input);
    const expected = {
      says: 'what the growth cost in the last third',
      expression: `(${row.last_third_input} − ${row.first_third_input}) × ${row.last_third_calls} × ${unit.toFixed()} / 1000000`,
      value: rounded(grown.times(row.last_third_calls).times(unit).div(1_000_000)),
    };
    if (!isWorthSaying(expected.value, basis)) return [];
    const draft = {
      kind: 'prompt_growth',
      title: `Cut prompts back to what they were: ${named(row.feature)}, ${row.model}`,
      seen:
        `the median prompt grew from ${row.first_third_input} to ${row.last_third_input} input tokens between ` +
        `${row.first_day} and ${row.last_day}, the median answer from ${row.first_third_output} to ` +
        `${row.last_third_output}, in ${count(row.last_third_calls)} calls of the last ${row.days_in_a_third} days`,
      steps: cached.eq(0) ? [] : steps,
      observed: { expected, low: nothing, high: same('high', expected) },
      days: row.days_in_a_third,
      confidence: 'low',
      effort: 'days',
      risk: 'The longer prompt may be why the answers are good.',
      experiment:
        'Compare a prompt of the first week with one of today, and try the old length on a tenth of the calls.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps: [] };
}

function hasGrown(row: PromptGrowthRow): boolean {
  const growth = row.last_third_input / Math.max(row.first_third_input, 1);
  const output_growth = row.last_third_output / Math.max(row.first_third_output, 1);
  return (
    growth >= min_growth && row.steadiness >= min_steadiness && output_growth - 1 < (growth - 1) * max_output_growth
  );
}
