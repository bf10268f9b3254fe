import { describe, expect, it } from 'vitest';
import { makePriceBook, priceInForce, type Price } from '../price-book.ts';
import { overlayPrices, type OwnPrice } from './own-prices.ts';

const base = { provider: 'maker', model: 'm', kind: 'input', above_tokens: 0 } as const;
const of = (valid_from: string, usd_mtok: string, rest: Partial<Price> = {}): Price => ({
  ...base,
  valid_from,
  usd_mtok,
  ...rest,
});
const own = (valid_from: string, usd_mtok: string | null, rest: Partial<Price> = {}): OwnPrice => ({
  ...base,
  valid_from,
  ...rest,
  usd_mtok,
});

/** What is paid on each day, for a large request where `tokens` says so. */
function paid(prices: readonly Price[], days: readonly string[], kind: Price['kind'] = 'input', tokens = 0) {
  const rated = makePriceBook(prices).models.get('maker/m') ?? [];
  return days.map((day) => priceInForce(rated, kind, day, tokens)?.usd_mtok ?? null);
}

describe('own prices over the published ones', () => {
  const published = [of('0001-01-01', '1'), of('2026-03-01', '2'), of('2026-07-01', '3'), of('2026-11-01', '4')];
  const days = ['2026-01-01', '2026-04-01', '2026-06-01', '2026-08-01', '2026-10-01', '2026-12-01'];

  // Planted bug that turns it red: overlayKind() that leaves the published prices in.
  it('hold until the next own one or their retirement, whatever is published in between', () => {
    const ours = [own('2026-05-01', '9'), own('2026-09-01', '8'), own('2026-11-15', null)];
    expect(paid(overlayPrices(published, ours), days)).toEqual(['1', '2', '9', '9', '8', '4']);
    const later = [...ours, own('2026-11-20', '7')];
    expect(paid(overlayPrices(published, later), [...days, '2026-11-17'])).toEqual(['1', '2', '9', '9', '8', '7', '4']);
  });

  it('follow what is published after a retirement too', () => {
    const ours = [own('2026-02-01', '9'), own('2026-05-01', null)];
    expect(paid(overlayPrices(published, ours), days)).toEqual(['1', '2', '2', '3', '3', '4'].with(1, '9'));
  });

  // Planted bug that turns it red: `back` that is `published` alone.
  it('stand for all tiers of their kind, and give back the plain price where no other is published', () => {
    const tiers = [...published, of('0001-01-01', '5', { above_tokens: 100 })];
    const ours = [own('2026-02-01', '9'), own('2026-04-15', '6', { kind: 'cache_write' })];
    const book = overlayPrices(tiers, [...ours, own('2026-09-01', null, { kind: 'cache_write' })]);
    expect(paid(book, ['2026-01-01', '2026-08-01'], 'input', 200)).toEqual(['5', '9']);
    expect(paid(book, days, 'cache_write')).toEqual([null, null, '6', '6', '3', '4']);
  });

  it('leave other models alone', () => {
    const others = published.map((price) => ({ ...price, model: 'other' }));
    expect(overlayPrices([...published, ...others], [own('2026-05-01', '9')])).toEqual(expect.arrayContaining(others));
    expect(overlayPrices(published, [])).toBe(published);
  });
});
