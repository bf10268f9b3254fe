import Big from 'big.js';
import type { Answer, OversizedRow } from '../../analytics/index.ts';
import { count, isWorthSaying, lowerConfidence, monthArithmetic, named, perMonth } from './finding.ts';
import type { Basis, Finding } from './finding.ts';

/** Calls that send several times the usual input for no longer an answer: cut the context to the usual size. */
export function findOversizedContext({ query, rows }: Answer<OversizedRow>, basis: Basis): Finding[] {
  return rows.flatMap((row): Finding[] => {
    const price = basis.priceOf(row.model);
    if (price === null) return [];
    const labelled = row.feature !== '';
    const expected = new Big(row.excess_input_tokens).times(price.input).div(1_000_000);
    if (!isWorthSaying(expected, basis)) return [];
    return [
      {
        kind: 'oversized_context',
        title: `Trim oversized context: ${named(row.feature)}, ${row.model}`,
        evidence:
          `${count(row.oversized_calls)} of ${count(row.calls)} calls sent more than 4 × the median of ` +
          `${row.median_input_tokens} input tokens for an answer of ordinary length (query ${query.name}).`,
        evidence_rows: [{ query: query.name, row: { ...row } }],
        arithmetic:
          `${row.excess_input_tokens} tokens above the median × $${price.input.toFixed()} per million: ` +
          monthArithmetic(expected, basis),
        // Half: cut to twice the median instead of to the median. Nothing is sure of calls that may be of many kinds.
        saving_usd_month: perMonth({ low: expected.times(labelled ? '0.5' : '0'), expected, high: expected }, basis),
        confidence: labelled ? lowerConfidence('medium', basis) : 'low',
        effort: 'days',
        risk: labelled
          ? 'Some of these calls may need their long input; answers can get worse where it is cut.'
          : 'The calls name no feature: the long ones may be another kind of work that needs its input.',
        experiment: 'Cap the input at twice the median for a tenth of these calls and compare the answers.',
      },
    ];
  });
}
