import Big from 'big.js';
import type { Answer, OutputHeavyRow } from '../../analytics/index.ts';
import { count, isWorthSaying, monthArithmetic, named, perMonth } from './finding.ts';
import type { Basis, Finding } from './finding.ts';

/** Features whose mean answer is far longer than their median one: a cap saves the tail. */
export function findOutputHeavy({ query, rows }: Answer<OutputHeavyRow>, basis: Basis): Finding[] {
  return rows.flatMap((row): Finding[] => {
    const price = basis.priceOf(row.model);
    if (price === null || row.calls < 20) return [];
    const usual = new Big(row.p50_output_tokens).times(row.calls);
    const excess = new Big(row.output_tokens).minus(usual);
    // Answers of much the same length have no tail to cut.
    if (excess.lt(usual.times('0.25'))) return [];
    const high = excess.times(price.output).div(1_000_000);
    const expected = high.times('0.5');
    if (!isWorthSaying(expected, basis)) return [];
    return [
      {
        kind: 'output_heavy',
        title: `Cap the answer length: ${named(row.feature)}, ${row.model}`,
        evidence:
          `${count(row.calls)} calls wrote ${row.output_per_input} output tokens per input token; the median answer ` +
          `has ${row.p50_output_tokens} tokens, the 95th percentile ${row.p95_output_tokens} (query ${query.name}).`,
        evidence_rows: [{ query: query.name, row: { ...row } }],
        arithmetic:
          `(${row.output_tokens} − ${row.calls} × ${row.p50_output_tokens}) = ${excess.toFixed()} tokens beyond the ` +
          `median × $${price.output.toFixed()} per million, half of it: ${monthArithmetic(expected, basis)}`,
        saving_usd_month: perMonth({ low: expected.times('0.5'), expected, high }, basis),
        confidence: 'low',
        effort: 'hours',
        risk: 'Long answers may be what the users want.',
        experiment: 'Ask for brevity and set max tokens to the 75th percentile for a tenth of the calls.',
      },
    ];
  });
}
