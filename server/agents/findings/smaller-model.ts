import type Big from 'big.js';
import type { Answer, ShortCallRow } from '../../analytics/index.ts';
import { exact, same, share, type Equation } from './arithmetic.ts';
import { count, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found } from './finding.ts';
import { costAt, worthToday } from './worth-today.ts';

/** Features that are mostly labels, choices, yes or no, on a model that costs more than its smaller sibling. */
const min_short_share = 0.8;
const min_calls = 50;

/** Short questions with very short answers: worth trying on a smaller model of the same maker. */
export function findSmallerModel({ query, rows }: Answer<ShortCallRow>, basis: Basis): Found {
  const findings = rows.flatMap((row) => {
    const cheaper = basis.cheaperThan(row.model);
    if (cheaper === null || row.calls < min_calls || row.calls / row.all_calls < min_short_share) return [];
    const tokens = { input: row.input_tokens, cached: row.cached_input_tokens, output: row.output_tokens };
    const { steps, worth } = worthToday(basis, row.model, row.cost_usd, tokens);
    const then = costAt(`the same tokens at ${cheaper.model}’s prices`, tokens, cheaper.price);
    const now = { ...worth, says: 'what these calls cost' };
    const expected = difference(now, then);
    if (!isWorthSaying(expected.value, basis)) return [];
    const draft = {
      kind: 'smaller_model',
      title: `Try ${cheaper.model} for short answers: ${named(row.feature)}, ${row.model}`,
      seen:
        `${count(row.calls)} of ${count(row.all_calls)} calls have at most 2,000 input and 20 output tokens ` +
        `and cost $${row.cost_usd}`,
      steps: [...steps, now, then],
      observed: {
        expected,
        low: share('low, if half of them need the larger model', expected, '0.5'),
        high: same('high', expected),
      },
      confidence: 'medium',
      effort: 'days',
      risk: 'The smaller model may decide worse: what it costs is known, how good it is here is not.',
      experiment: 'Answer 500 of these calls with both models and count where they differ.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps: [] };
}

function difference(now: Equation, then: Equation): Equation {
  const value: Big = now.value.minus(then.value);
  return { says: 'the difference', expression: `${exact(now.value)} − ${exact(then.value)}`, value };
}
