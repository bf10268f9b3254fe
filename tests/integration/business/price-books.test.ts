/**
 * Segment: customers who ask why a call cost what it cost.
 * Goal: the prices of every release that rated anything are kept, unchanged.
 * Value: each charge can be explained by the book that it names, years later.
 * Strategic impact: a bill that cannot be explained is not paid.
 */
import { suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { keepPriceBook, rateUsage, readPriceBook, standardBook } from '../../../server/billing/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';

const home = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(home);
});

describe('price books', () => {
  // Planted bug that turns it red: keep_price_book() that rounds a price, or leaves out `above_tokens`.
  it('keeps the book that usage is rated by, once, and reads the same book back', async () => {
    const { platform } = node;
    const kept = await Promise.all(Array.from({ length: 4 }, () => keepPriceBook({ platform })));
    const at = new Date('2026-11-01T00:00:00Z');
    const call = { model: 'gpt-4o', input_tokens: 1, cached_input_tokens: 0, output_tokens: 1, at };
    const version = rateUsage(call, standardBook()).price_book_version;
    expect(new Set(kept.map((each) => each.version))).toEqual(new Set([version]));
    const book = await readPriceBook({ platform, input: { version } });
    expect(book.version).toBe(version);
    expect(book.models.get('openai/gpt-4o')?.find(({ kind }) => kind === 'input')?.usd_mtok).toBe('2.5');
    expect(await node.owner('select count(*) from netra.price_book')).toEqual([{ count: '1' }]);
  });

  it('notices a price that was changed behind its back, and refuses a version that it does not have', async () => {
    const { platform } = node;
    const { version } = await keepPriceBook({ platform });
    await node.owner(`update netra.price set usd_mtok = usd_mtok * 2 where model = 'gpt-4o' and kind = 'input'`);
    await expect(readPriceBook({ platform, input: { version } })).rejects.toThrow(/was changed/);
    await expect(readPriceBook({ platform, input: { version: 'book-none' } })).rejects.toThrow(/no price book/);
    const write = { text: 'update netra.price set usd_mtok = 1', values: [] };
    await expect(platform.postgres.call(write)).rejects.toThrow(/permission denied/);
  });
});
