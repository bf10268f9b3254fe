import Big from 'big.js';
import type { Answer, OutputHeavyRow } from '../../analytics/index.ts';
import { rounded, share, type Equation } from './arithmetic.ts';
import { count, enough_calls, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found } from './finding.ts';
import { standApart } from './stand-apart.ts';

/** Answers several times as long as usual, to ordinary prompts: a limit of twice the usual cuts them off. */
export function findOutputHeavy({ query, rows }: Answer<OutputHeavyRow>, basis: Basis): Found {
  const findings = rows.flatMap((row) => {
    const price = basis.priceOf(row.model);
    const { calls, longest_answers: apart, between_answers: between, long_answers: ordinary } = row;
    if (price === null || row.feature === '' || row.long_answers < enough_calls) return [];
    if (!standApart({ calls, apart, between, ordinary })) return [];
    const cut = (says: string, tokens: string): Equation => ({
      says,
      expression: `${tokens} × ${price.output.toFixed()} / 1000000`,
      value: rounded(new Big(tokens).times(price.output).div(1_000_000)),
    });
    const expected = cut('tokens beyond twice the median', row.tokens_over_twice_median);
    if (!isWorthSaying(expected.value, basis)) return [];
    const draft = {
      kind: 'output_heavy',
      title: `Cap the answer length: ${named(row.feature)}, ${row.model}`,
      seen:
        `${count(row.long_answers)} of ${count(row.calls)} answers have more than 4 × the median of ` +
        `${row.median_output_tokens} output tokens, to prompts of ordinary length, and ${count(row.between_answers)} ` +
        'between 2 and 4 ×',
      observed: {
        expected,
        low: share('low, if half of it is wanted', expected, '0.5'),
        high: cut('high, tokens beyond the median', row.tokens_over_median),
      },
      confidence: 'medium',
      effort: 'hours',
      risk: 'An answer that is cut off may be of no use: ask for brevity first, and cap at twice the usual.',
      experiment: 'Set max tokens to twice the median for a tenth of the calls, and read what was cut off.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps: [] };
}
