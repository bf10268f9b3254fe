import Big from 'big.js';
import type { Answer, RepeatedPromptRow } from '../../analytics/index.ts';
import { rounded, same, share, type Equation } from './arithmetic.ts';
import { count, enough_calls, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found, Gap, ModelPrice } from './finding.ts';

const about = 'prompt caching';

/** The same beginning sent again and again at the full price: prompt caching reads it at the cached price. */
export function findRepeatedPrompts({ query, rows }: Answer<RepeatedPromptRow>, basis: Basis): Found {
  const gaps: Gap[] = [];
  const findings = rows.flatMap((row) => {
    const price = basis.priceOf(row.model);
    if (price === null || price.cached_input === null || row.calls < enough_calls) return [];
    // What a cache of five minutes would have kept; one that keeps for ever saves up to `high`.
    const expected = saved('in a cache of 5 minutes', row.cacheable_tokens_5min, row.written_tokens_5min, price);
    const for_ever = saved('in a cache that keeps for ever', row.cacheable_tokens, row.prefix_tokens, price);
    if (!isWorthSaying(expected.value, basis)) return [];
    if (!row.prefix_tokens_reported) {
      const where = `${named(row.feature)}, ${row.model}`;
      gaps.push({ about, missing: `the calls of ${where} share a beginning, but not its length: send prefix_tokens` });
      return [];
    }
    const high = for_ever.value.gt(expected.value) ? { ...for_ever, says: `high, ${for_ever.says}` } : null;
    const draft = {
      kind: 'repeated_prompts',
      title: `Cache the shared prompt prefix: ${named(row.feature)}, ${row.model}`,
      seen:
        `${count(row.calls)} calls share ${count(row.prefixes, 'prefix', 'prefixes')}; ${row.cacheable_tokens} input ` +
        'tokens were paid in full although an earlier call had sent them',
      observed: {
        expected,
        low: share('low, if one in five comes too late', expected, '0.8'),
        high: high ?? same('high', expected),
      },
      confidence: 'high',
      effort: 'days',
      risk: 'A cache that expires between calls saves less. The fixed part has to come first, and stay the same.',
      experiment: 'Put the fixed part first, turn prompt caching on for one day, and read cached_input_tokens.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps };
}

/** Read at the cached price, less what writing the cache costs beyond plain input where the book has a price for it. */
function saved(says: string, read: string, written: string, price: ModelPrice): Equation {
  const cached = price.cached_input ?? price.input;
  const surcharge = price.cache_write === null ? new Big(0) : price.cache_write.minus(price.input);
  const reading = `${read} × (${price.input.toFixed()} − ${cached.toFixed()})`;
  const writing = surcharge.lte(0)
    ? ''
    : ` − ${written} × (${price.cache_write?.toFixed()} − ${price.input.toFixed()})`;
  const value = new Big(read).times(price.input.minus(cached));
  const net = surcharge.lte(0) ? value : value.minus(new Big(written).times(surcharge));
  return { says, expression: `(${reading}${writing}) / 1000000`, value: rounded(net.div(1_000_000)) };
}
