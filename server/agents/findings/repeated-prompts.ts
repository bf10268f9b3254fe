import Big from 'big.js';
import type { Answer, RepeatedPromptRow } from '../../analytics/index.ts';
import { count, isWorthSaying, lowerConfidence, monthArithmetic, named, perMonth, usd } from './finding.ts';
import type { Basis, Finding } from './finding.ts';

/** The same beginning sent again and again at the full price: prompt caching reads it at the cached price. */
export function findRepeatedPrompts({ query, rows }: Answer<RepeatedPromptRow>, basis: Basis): Finding[] {
  return rows.flatMap((row): Finding[] => {
    const price = basis.priceOf(row.model);
    if (price === null || price.cached_input === null || price.cached_input.gte(price.input)) return [];
    const discount = price.input.minus(price.cached_input);
    const saved = (tokens: string): Big => new Big(tokens).times(discount).div(1_000_000);
    // What a cache of five minutes would have kept; one that keeps longer saves up to `high`.
    const expected = saved(row.cacheable_tokens_5min);
    const high = saved(row.cacheable_tokens);
    if (!isWorthSaying(expected, basis)) return [];
    return [
      {
        kind: 'repeated_prompts',
        title: `Cache the shared prompt prefix: ${named(row.feature)}, ${row.model}`,
        evidence:
          `${count(row.calls)} calls share ${count(row.prefixes, 'prefix', 'prefixes')}; ${row.cacheable_tokens} input tokens were ` +
          `paid in full although an earlier call had sent them (query ${query.name}).`,
        evidence_rows: [{ query: query.name, row: { ...row } }],
        arithmetic:
          `${row.cacheable_tokens_5min} tokens sent again within 5 minutes × ($${price.input.toFixed()} − ` +
          `$${price.cached_input.toFixed()}) per million: ${monthArithmetic(expected, basis)}; ` +
          `high counts all ${row.cacheable_tokens} ($${usd(high)} in the data)`,
        saving_usd_month: perMonth(
          { low: expected.times('0.8'), expected, high: high.gt(expected) ? high : expected },
          basis,
        ),
        confidence: row.prefix_tokens_reported ? lowerConfidence('high', basis) : 'low',
        effort: 'days',
        risk: row.prefix_tokens_reported
          ? 'A cache that expires between calls saves less; some providers charge for writing it.'
          : 'The prefix length is not in the data; the shortest input stands for it and can only be too long.',
        experiment: 'Put the fixed part first, turn prompt caching on for one day, and read cached_input_tokens.',
      },
    ];
  });
}
