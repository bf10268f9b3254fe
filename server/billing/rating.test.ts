import { calcPrice } from '@pydantic/genai-prices';
import { NetraError } from '@netra/contract';
import { Big } from 'big.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listModelPrices, priceOf, rateUsage, standardBook } from './index.ts';
import { makePriceBook, type Price } from './price-book.ts';
import { publishedPrices, publishedProviders } from './published-prices.ts';
import { halfEven } from './rate-usage.ts';
import type { PriceList } from './standard-book.ts';

const at = new Date('2026-11-01T12:00:00Z');

function listOf(...prices: Partial<Price>[]): PriceList {
  const whole = prices.map((price): Price => ({
    provider: 'p',
    model: 'm',
    kind: 'input',
    valid_from: '0001-01-01',
    above_tokens: 0,
    usd_mtok: '1',
    ...price,
  }));
  return { book: makePriceBook(whole), find: (name) => (name === 'm' ? 'p/m' : null) };
}
const call = { model: 'm', input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, at };

describe('rating', () => {
  // Planted bug that turns it red: charging input_tokens in full beside the cached ones.
  it('rates every model of the book as the publisher of the prices does', () => {
    const models = listModelPrices(at, standardBook()).filter(
      // Not those that are named by a prefix only, as fine-tuned ones are.
      ({ provider, model }) => ['openai', 'anthropic', 'google'].includes(provider) && !model.startsWith('ft:'),
    );
    expect(models.length).toBeGreaterThan(80);
    const counts = fc.record({
      model: fc.constantFrom(...models),
      input: fc.nat(500_000),
      cached_share: fc.nat(100),
      output: fc.nat(100_000),
    });
    fc.assert(
      fc.property(counts, ({ model, input, cached_share, output }) => {
        const cached = model.cached_input_usd_mtok === null ? 0 : Math.floor((input * cached_share) / 100);
        const name = `${model.provider}/${model.model}`;
        const tokens = { input_tokens: input, cached_input_tokens: cached, output_tokens: output };
        const ours = rateUsage({ model: name, ...tokens, at }, standardBook());
        const usage = { input_tokens: input, cache_read_tokens: cached, output_tokens: output };
        const theirs = calcPrice(usage, model.model, { providerId: model.provider, timestamp: at });
        // Theirs is in floats: equal but for what those lose.
        expect(Math.abs(Number(ours.cost_usd) - (theirs?.total_price ?? Number.NaN))).toBeLessThan(1e-9);
      }),
      { numRuns: 300 },
    );
  });

  // Planted bug that turns it red: Number arithmetic instead of bigint.
  it('is exact, and the micro-credits are the dollars to half-even', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 1, max: 1e9 }), (tokens, price) => {
        const usd_mtok = new Big(price).div(1e6).toFixed();
        const rated = rateUsage({ ...call, input_tokens: tokens }, listOf({ usd_mtok }));
        const exact = new Big(tokens).times(usd_mtok).times('0.000001');
        expect(rated.cost_usd).toBe(exact.toFixed());
        expect(rated.cost_micro).toBe(BigInt(exact.times('1e8').round(0, Big.roundHalfEven).toFixed()));
      }),
    );
  });

  it('rounds a tie to the even neighbour', () => {
    expect([5n, 15n, 25n, 26n, 24n, 0n].map((amount) => halfEven(amount, 10n))).toEqual([0n, 2n, 2n, 3n, 2n, 0n]);
  });

  it('takes the price in force that day, and the tier of the whole request', () => {
    const list = listOf(
      { usd_mtok: '1' },
      { usd_mtok: '2', above_tokens: 1000 },
      { usd_mtok: '7', valid_from: '2026-06-01' },
      { usd_mtok: '9', valid_from: '2026-06-01', above_tokens: 1000 },
    );
    const cost = (input_tokens: number, day: string): string =>
      rateUsage({ ...call, input_tokens, at: `${day} 23:59:59.9` }, list).cost_usd;
    expect([cost(1000, '2026-05-31'), cost(1001, '2026-05-31')]).toEqual(['0.001', '0.002002']);
    expect([cost(1000, '2026-06-01'), cost(1001, '2026-06-01')]).toEqual(['0.007', '0.009009']);
  });

  // Planted bug that turns it red: a fallback price of zero for a kind that has none.
  it('refuses what has no price, and counts that make no sense', () => {
    const list = listOf({ usd_mtok: '1' });
    const refused = (usage: Partial<typeof call>): unknown => {
      try {
        return rateUsage({ ...call, ...usage }, list);
      } catch (error) {
        return error instanceof NetraError ? error.code : error;
      }
    };
    expect(refused({ output_tokens: 1 })).toBe('invalid_request');
    expect(refused({ model: 'unheard-of', input_tokens: 1 })).toBe('invalid_request');
    expect(refused({ input_tokens: -1 })).toBe('invalid_request');
    expect(refused({ input_tokens: 1.5 })).toBe('invalid_request');
    expect(refused({ input_tokens: 1, cached_input_tokens: 2 })).toBe('invalid_request');
  });

  it('refuses to make a book with a price that is zero, negative or no number', () => {
    for (const usd_mtok of ['0', '-1', '0.0000000000001', '']) expect(() => listOf({ usd_mtok })).toThrow();
  });

  it('gives the same prices the same version, and others another', () => {
    const prices = publishedPrices(publishedProviders());
    expect(makePriceBook(prices.toReversed()).version).toBe(makePriceBook(prices).version);
    expect(makePriceBook(prices.slice(1)).version).not.toBe(makePriceBook(prices).version);
  });

  it('finds a model by the names that logs carry', () => {
    const names = ['gpt-4o-2024-08-06', 'openai/gpt-4o', 'GPT-4o', 'azure/gpt-4o', 'claude-sonnet-4-5-20250929'];
    expect(names.map((name) => priceOf(name, at, standardBook())?.model)).toEqual([
      'gpt-4o',
      'gpt-4o',
      'gpt-4o',
      'gpt-4o',
      'claude-sonnet-4-5',
    ]);
    expect(priceOf('my-own-model', at, standardBook())).toBeNull();
  });
});
