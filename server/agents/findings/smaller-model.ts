import Big from 'big.js';
import type { Answer, ShortCallRow } from '../../analytics/index.ts';
import { count, isWorthSaying, lowerConfidence, monthArithmetic, named, perMonth, usd } from './finding.ts';
import type { Basis, Finding, ModelPrice } from './finding.ts';

/** Features that are mostly labels, choices, yes or no, on a model that costs more than its smaller sibling. */
const min_short_share = 0.8;

/** Short questions with very short answers: a smaller model of the same maker does them. */
export function findSmallerModel({ query, rows }: Answer<ShortCallRow>, basis: Basis): Finding[] {
  return rows.flatMap((row): Finding[] => {
    const cheaper = basis.cheaperThan(row.model);
    if (cheaper === null || row.calls < 20 || row.calls / row.all_calls < min_short_share) return [];
    const then = costAt(row, cheaper.price);
    const saving = new Big(row.cost_usd).minus(then);
    if (!isWorthSaying(saving, basis)) return [];
    return [
      {
        kind: 'smaller_model',
        title: `Use ${cheaper.model} for short answers: ${named(row.feature)}, ${row.model}`,
        evidence:
          `${count(row.calls)} of ${count(row.all_calls)} calls have at most 2,000 input and 20 output tokens ` +
          `and cost $${row.cost_usd} (query ${query.name}).`,
        evidence_rows: [{ query: query.name, row: { ...row } }],
        arithmetic:
          `$${row.cost_usd} now − $${usd(then)} for the same tokens at ${cheaper.model}’s prices ` +
          `($${cheaper.price.input.toFixed()} in, $${cheaper.price.output.toFixed()} out per million): ` +
          monthArithmetic(saving, basis),
        saving_usd_month: perMonth({ low: saving.times('0.5'), expected: saving, high: saving }, basis),
        confidence: lowerConfidence('medium', basis),
        effort: 'days',
        risk: 'The smaller model may decide worse in the hard cases.',
        experiment: 'Answer 500 of these calls with both models and count where they differ.',
      },
    ];
  });
}

function costAt(row: ShortCallRow, price: ModelPrice): Big {
  const cached = new Big(row.cached_input_tokens);
  const input = new Big(row.input_tokens).minus(cached).times(price.input);
  const output = new Big(row.output_tokens).times(price.output);
  return input
    .plus(cached.times(price.cached_input ?? price.input))
    .plus(output)
    .div(1_000_000);
}
