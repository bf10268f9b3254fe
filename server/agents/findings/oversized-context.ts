import Big from 'big.js';
import type { Answer, OversizedRow } from '../../analytics/index.ts';
import { rounded, same, share, type Equation } from './arithmetic.ts';
import { count, enough_calls, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found, Gap, ModelPrice } from './finding.ts';
import { standApart } from './stand-apart.ts';

/** Calls that send several times the usual input for no longer an answer: cut the context to the usual size. */
export function findOversizedContext({ query, rows }: Answer<OversizedRow>, basis: Basis): Found {
  const gaps: Gap[] = [];
  const findings = rows.flatMap((row) => {
    const price = basis.priceOf(row.model);
    if (price === null) return [];
    const expected = excess(row, price);
    if (row.oversized_calls < enough_calls || !isWorthSaying(expected.value, basis)) return [];
    if (row.feature === '') {
      gaps.push({ about: 'oversized context', missing: unlabelled(row) });
      return [];
    }
    const { calls, long_calls: apart, between_calls: between, oversized_calls: ordinary } = row;
    if (!standApart({ calls, apart, between, ordinary })) return [];
    const draft = {
      kind: 'oversized_context',
      title: `Trim oversized context: ${named(row.feature)}, ${row.model}`,
      seen:
        `${count(row.oversized_calls)} of ${count(row.calls)} calls sent more than 4 × the median of ` +
        `${row.median_input_tokens} input tokens for an answer of ordinary length, and ${count(row.between_calls)} ` +
        'between 2 and 4 ×',
      observed: {
        expected,
        low: share('low, if half of it is needed', expected, '0.5'),
        high: same('high', expected),
      },
      confidence: 'medium',
      effort: 'days',
      risk: 'Some of these calls may need their long input; answers can get worse where it is cut.',
      experiment: 'Cap the input at twice the median for a tenth of these calls and compare the answers.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps };
}

function excess(row: OversizedRow, price: ModelPrice): Equation {
  const { excess_input_tokens: tokens, excess_cached_input_tokens: cached } = row;
  const read = price.cached_input ?? price.input;
  const value = new Big(tokens).minus(cached).times(price.input).plus(new Big(cached).times(read)).div(1_000_000);
  const expression = `((${tokens} − ${cached}) × ${price.input.toFixed()} + ${cached} × ${read.toFixed()}) / 1000000`;
  return { says: 'tokens above the median', expression, value: rounded(value) };
}

function unlabelled({ oversized_calls, model }: OversizedRow): string {
  return (
    `${count(oversized_calls)} calls of ${model} send over 4 × the median input, but name no feature: they may be ` +
    'another kind of work that needs it'
  );
}
