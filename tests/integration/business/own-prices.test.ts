/**
 * Segment: operators who run models of their own, or buy at other prices than the published ones.
 * Goal: own prices are dated data over the published ones, checked before they are written, in force on every node.
 * Value: nothing is ever rated by a price that nobody set, and no price that was in force is rewritten.
 * Strategic impact: a missing or negative price gives credits away without anybody noticing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  currentPrices,
  importPrices,
  priceOf,
  rateUsage,
  readPriceBook,
  retirePrices,
  showPrices,
  standardBook,
  type PriceList,
} from '../../../server/billing/index.ts';
import { openPlatform, type Platform } from '../../../server/platform/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { refusal } from './credits/stage.ts';

const home = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(home);
});

const csv = (...lines: string[]): string =>
  ['provider,model,kind,valid_from,above_tokens,usd_mtok', ...lines].join('\n');
const put = (text: string, format: 'csv' | 'json' = 'csv', dry_run = false) =>
  importPrices({ platform: node.platform, input: { text, format, by: 'ada', dry_run } });
const retire = (model: string, from?: Date) =>
  retirePrices({ platform: node.platform, input: { model, by: 'ada', from: from ?? null } });
const at = (days: number): Date => new Date(Date.now() + days * 86_400_000);
const cost = (list: PriceList, model: string, tokens: object = {}): string =>
  rateUsage(
    { model, input_tokens: 1_000_000, cached_input_tokens: 0, output_tokens: 0, at: new Date(), ...tokens },
    list,
  ).cost_usd;

/** A second node on the same database, that asks for prices for the first time. */
async function elsewhere(): Promise<PriceList> {
  // An own price begins at the millisecond that it is written in.
  await sleep(2);
  return currentPrices({ ...node.platform });
}
const input = async (model: string, days = 0): Promise<string | undefined> =>
  priceOf(model, at(days), await elsewhere())?.input_usd_mtok;

describe("an installation's own prices", () => {
  // Planted bug that turns it red: priceListWith() that answers the published book.
  it('rate own models with tiers and all kinds, corrected prices, and the rest as published', async () => {
    const text = csv(
      'ours,llama-x,input,2026-01-01,,0.5',
      'ours,llama-x,input,2026-01-01,200000,1.25',
      'ours,llama-x,cached_input,2026-01-01,,0.05',
      'ours,llama-x,cache_write,2026-01-01,,0.75',
      'ours,llama-x,output,2026-01-01,,2',
      'ours,llama-x,reasoning,2026-01-01,,3',
      'openai,gpt-4o,input,,,9.99',
    );
    const before = await elsewhere();
    expect(before.book.version).toBe(standardBook().book.version);
    expect(await put(text, 'csv', true)).toHaveLength(6);
    expect((await elsewhere()).book.version, 'a dry run writes nothing').toBe(before.book.version);
    expect(await put(text)).toHaveLength(6);
    expect(await put(text), 'the same file again').toEqual([]);
    const list = await elsewhere();
    expect(list.book.version).not.toBe(before.book.version);
    expect([cost(list, 'gpt-4o'), cost(before, 'gpt-4o')]).toEqual(['9.99', '2.5']);
    expect(cost(list, 'gpt-4o', { at: at(-1) }), 'before its time').toBe('2.5');
    expect(cost(list, 'gpt-4o-mini')).toBe(cost(before, 'gpt-4o-mini'));
    for (const name of ['llama-x', 'ours/llama-x', 'Ours/LLAMA-X']) expect(cost(list, name), name).toBe('1.25');
    const small = { input_tokens: 100_000, cached_input_tokens: 40_000, cache_write_tokens: 10_000 };
    // 50,000 × 0.5 + 40,000 × 0.05 + 10,000 × 0.75 + 1,000 × 2 + 500 × 3, a million.
    expect(cost(list, 'llama-x', { ...small, output_tokens: 1_500, reasoning_tokens: 500 })).toBe('0.038');
    const shown = await showPrices({ platform: node.platform, input: { name: 'gpt-4o' } });
    expect(shown.prices.filter(({ kind }) => kind === 'input')[0]).toMatchObject({ usd_mtok: '9.99', own: true });
    const kept = await readPriceBook({ platform: node.platform, input: { version: list.book.version } });
    expect(kept.version, 'each book that was handed out is kept').toBe(list.book.version);
    expect(shown.changes).toMatchObject([{ changed_by: 'ada', subject: 'openai/gpt-4o input', action: 'add' }]);
  });

  // Planted bug that turns it red: write_own_price() without its exists().
  it('plan a price, let it be replaced until it begins, and never touch one that has begun', async () => {
    const [soon, later] = [at(2).toISOString(), at(9).toISOString().slice(0, 10)];
    await put(csv('ours,dated,input,,,1', 'ours,dated,output,,,1'));
    await put(csv(`ours,dated,input,${soon},,2`, `ours,dated,input,${later},,3`));
    expect(await put(csv(`ours,dated,input,${soon},,2.5`))).toMatchObject([
      { action: 'replace', before: { tiers: [{ usd_mtok: '2' }] }, row: { tiers: [{ usd_mtok: '2.5' }] } },
    ]);
    expect([await input('ours/dated'), await input('ours/dated', 3), await input('ours/dated', 10)]).toEqual([
      '1',
      '2.5',
      '3',
    ]);
    // Corrected at once, by a price of its own moment.
    await put(csv('ours,dated,input,,,1.5'));
    expect(await input('ours/dated')).toBe('1.5');
    const { prices } = await showPrices({ platform: node.platform, input: { name: 'ours/dated' } });
    const begun = prices.findLast(({ kind }) => kind === 'input')?.valid_from ?? '';
    const iso = `${begun.replace(' ', 'T')}Z`;
    for (const from of [iso, at(-1).toISOString()]) {
      const text = csv(`ours,dated,input,${from},,7`);
      if (from === iso) expect((await refusal(put(text))).message).toMatch(/line 2: .*has been in force since/);
      const row = { provider: 'ours', model: 'dated', kind: 'input', tiers: [{ above_tokens: 0, usd_mtok: '7' }] };
      const change = { book: 'price', subject: 'x', valid_from: iso, action: 'replace', row };
      const write = node.platform.postgres.call({
        text: `select netra.change_book('eve', (select max(change_id) from netra.book_change), $1::jsonb)`,
        values: [JSON.stringify([change])],
      });
      expect((await refusal(write)).code, 'the database says so too').toBe('conflict');
    }
    expect((await refusal(put(csv('openai,gpt-4o-mini,input,2026-01-01,,7')))).message).toMatch(/in force since/);
    expect(await input('ours/dated')).toBe('1.5');
  });

  // Planted bugs that turn it red: currentPrices() that never looks again; editPrices() without tellPrices().
  it('are in force at once on nodes that are told, on others within five seconds, and as one book', async () => {
    let now_ms = Date.now();
    const clock = { ...node.platform.clock, nowMs: () => now_ms };
    const near = { ...node.platform, clock };
    const alone = async (): Promise<Platform> => {
      const { config } = node.platform;
      const { redis_url: _shared, ...urls } = home.stores;
      const platform = await openPlatform({ config, urls, role: 'app' });
      home.onEnd(() => platform.close());
      return { ...platform, clock };
    };
    const [far, farther] = [await alone(), await alone()];
    const nodes = [near, far, farther];
    const [, first] = await Promise.all(nodes.map(currentPrices));
    await put(csv('ours,fresh,input,,,1', 'ours,fresh,output,,,1'));
    now_ms += 4_999;
    const fresh = { at: new Date(now_ms) };
    await eventually('the hint', async () => (await currentPrices(near)).find('fresh') === 'ours/fresh');
    expect(cost(await currentPrices(near), 'fresh', fresh)).toBe('1');
    expect(await currentPrices(far), 'a Redis of its own').toBe(first);
    now_ms += 1;
    const lists = await Promise.all([...nodes, ...nodes].map(currentPrices));
    for (const list of lists) expect(cost(list, 'fresh', fresh)).toBe('1');
    expect(new Set(lists.map(({ book }) => book.version)).size).toBe(1);
    now_ms += 5_000;
    expect(await currentPrices(far), 'nothing changed: not made again').toBe(lists[1]);
  });

  // Planted bug that turns it red: overlayKind() that takes nothing back after a retirement.
  it('are retired in favour of what is published, and never in favour of nothing', async () => {
    const text = csv('openai,gpt-4.1,input,,,1', 'openai,gpt-4.1,output,,,1', 'openai,gpt-4.1,cache_write,,,1');
    await put(text);
    expect(await input('gpt-4.1')).toBe('1');
    const [published, then] = [standardBook(), { input_tokens: 10, cache_write_tokens: 10 }];
    expect(await retire('openai/gpt-4.1', at(3))).toHaveLength(3);
    expect([await input('gpt-4.1'), await input('gpt-4.1', 4)]).toEqual(['1', '2']);
    expect(await retire('openai/gpt-4.1')).toMatchObject([{ action: 'retire' }, {}, {}]);
    expect(await retire('openai/gpt-4.1'), 'again').toEqual([]);
    const list = await elsewhere();
    // Of cache writes no price is published for this model: the input's holds.
    expect(cost(list, 'gpt-4.1', then)).toBe(cost(published, 'gpt-4.1', then));
    expect((await put(text)).length, 'and come back by importing them').toBe(3);
    expect(await input('gpt-4.1')).toBe('1');
    await put(csv('ours,only,input,,,1', 'ours,only,output,,,1'));
    expect((await refusal(retire('ours/only'))).code).toBe('conflict');
    expect((await refusal(retire('ours/nothing'))).code).toBe('not_found');
  });

  // Planted bug that turns it red: readPriceFile() that stops at the first bad line.
  it('name every bad line of a file at once, and write nothing of it', async () => {
    const before = await elsewhere();
    const text = csv(
      'ours,bad,input,,,0',
      'ours,bad,input,,,-1',
      'ours,bad,output,,,',
      'ours,bad,speech,,,1',
      'ours,half,input,,,1',
      'ours,tall,input,,1000,1',
      'openai,gpt-4o-mini,input,2026-01-01,,7',
      'ours,good,input,,,1',
      'ours,good,output,,,1',
      'ours,good,output,,,2',
      'ours,when,output,tomorrow,,2',
      'ours,fine,output,,,0.0000000000001',
    );
    const { code, detail } = await refusal(put(text));
    expect(code).toBe('invalid_request');
    const problems = (detail['problems'] as readonly string[]).join('\n');
    for (const said of [
      'line 2: usd_mtok: a price is more than zero',
      'line 3: usd_mtok',
      'line 4: usd_mtok',
      'line 5: kind',
      'line 6: ours/half: there is no output price',
      'line 7: ours/tall input: there is no price for small requests: above_tokens 0 is missing',
      'line 8: openai/gpt-4o-mini input: a price has been in force since',
      'line 10: ours/good output: one tier is given twice',
      'line 12: valid_from',
      'line 13: usd_mtok',
    ]) {
      expect(problems).toContain(said);
    }
    expect((await elsewhere()).book.version).toBe(before.book.version);
    for (const json of ['{"prices": [{"usd_mtok": 3}]}', '[]', '{"prices"', '{"prices": [], "plans": []}']) {
      expect((await refusal(put(json, 'json'))).code).toBe('invalid_request');
    }
    expect(await put('{"prices": []}', 'json')).toEqual([]);
  });

  it('let one of two editors win, and lose nothing of the other', async () => {
    const names = Array.from({ length: 6 }, (_, place) => `racer${place}`);
    const lines = (name: string): string => csv(`ours,${name},input,,,1`, `ours,${name},output,,,1`);
    const outcomes = await Promise.allSettled(names.map((name) => put(lines(name))));
    const won = names.filter((_, place) => outcomes[place]?.status === 'fulfilled');
    expect(won.length).toBeGreaterThan(0);
    const { find } = await elsewhere();
    for (const name of names) expect(find(name)).toBe(won.includes(name) ? `ours/${name}` : null);
  });

  // Planted bug that turns it red: rateUsage() without its check for zero.
  it('never rate by a price that is zero or negative, however it came', async () => {
    for (const usd of ['0', '-1', '1e9', '0.0000000000001']) {
      const text = `insert into netra.own_price values ('ours', 'free', 'input', '2026-01-01', 0, ${usd})`;
      await expect(node.owner(text)).rejects.toThrow(/own_price/);
    }
    const list = await elsewhere();
    const model = 'openai/gpt-4o-mini';
    const minted = (list.book.models.get(model) ?? []).map((price) => ({ ...price, atto_usd_token: 0n }));
    const models = new Map([[model, minted]]);
    expect(() => cost({ find: () => model, book: { version: 'minted', models } }, model)).toThrow(/no price/);
  });
});
