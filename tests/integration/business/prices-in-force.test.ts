/**
 * Segment: every customer whose calls are rated.
 * Goal: charges, quotes and imports all go by the prices that were in force at the time.
 * Value: an operator's new price counts everywhere from its moment on, and reaches into nothing that was reserved.
 * Strategic impact: one place that still rates by the old list is a bill that contradicts the quote.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LanguageModelV4 } from '@ai-sdk/provider';
import { eventually, suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel, quoteRun } from '../../../server/agents/index.ts';
import { importUsage, usageTotals } from '../../../server/analytics/index.ts';
import { currentPrices, importPrices, priceOf, rateUsage, readPriceBook } from '../../../server/billing/index.ts';
import { checkBooks } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { only, openAgents, type AgentsNode } from '../agents-node.ts';
import { serveModel, type Endpoint } from '../openai-endpoint.ts';

const on = suite();
let node: AgentsNode;
let endpoint: Endpoint;
/** What happens while the model thinks about its next answer. */
let meanwhile: (() => Promise<void>) | null = null;

beforeAll(async () => {
  const planner = openModel('planner', { model: null });
  const model: LanguageModelV4 = {
    ...planner,
    async doGenerate(options) {
      const work = meanwhile;
      meanwhile = null;
      await work?.();
      return planner.doGenerate(options);
    },
  };
  endpoint = await serveModel(model);
  on.onEnd(() => endpoint.close());
  const settings = { NETRA_MODEL_URL: endpoint.url, NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };
  node = await openAgents(on, settings);
});

const priceNow = async (model: string): Promise<string | undefined> =>
  priceOf(model, new Date(), await currentPrices(node.platform))?.input_usd_mtok;

async function reprice(model: string, usd: string): Promise<void> {
  const [provider, name] = model.split('/');
  const text = `provider,model,kind,usd_mtok\n${provider},${name},input,${usd}\n${provider},${name},output,${usd}`;
  await importPrices({ platform: node.platform, input: { text, format: 'csv', by: 'ada' } });
}

describe('the prices in force', () => {
  // Planted bug that turns it red: capture() that asks for currentPrices() instead of the ceiling's.
  it('charge each call as it was reserved, and the next one by the new price', async () => {
    const ctx = await node.newOrg('mid');
    const before = endpoint.calls.length;
    // Five seconds at most until this node knows, which the deadline doubles.
    meanwhile = async () => {
      await reprice('openai/gpt-4o', '25');
      await eventually('the new price', async () => (await priceNow('gpt-4o')) === '25');
    };
    node.worker.start();
    const events = await node.ended(ctx, await node.ask(ctx, 'triage', 'What do we spend?'));
    await node.worker.stop();
    const charged = only(events, 'credits_charged').flatMap(({ data }) =>
      data.usage ? [{ ...data.usage, data }] : [],
    );
    const [first, ...later] = charged;
    const answered = endpoint.calls.slice(before).flatMap(({ usage }) => usage ?? []);
    expect(charged).toHaveLength(answered.length);
    expect(later.length).toBeGreaterThan(0);
    const listed = async (version: string) => {
      const book = await readPriceBook({ platform: node.platform, input: { version } });
      return { book, find: () => 'openai/gpt-4o' };
    };
    for (const { data, price_book, input_tokens, output_tokens } of charged) {
      const call = { model: 'gpt-4o', input_tokens, output_tokens, cached_input_tokens: 0, at: new Date() };
      expect(BigInt(data.amount_micro)).toBe(rateUsage(call, await listed(price_book)).cost_micro);
    }
    expect(new Set(later.map(({ price_book }) => price_book)).size).toBe(1);
    expect(first?.price_book, 'reserved before').not.toBe(later[0]?.price_book);
    expect(later[0]?.price_book).toBe((await currentPrices(node.platform)).book.version);
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });

  // Planted bug that turns it red: quoteRun() or ratingBy() with the published prices.
  it('quote and import by the same list, and leave what was called before at its price', async () => {
    const ctx = await node.newOrg('mid');
    // Another node each time, which knows no prices yet.
    const elsewhere = (): Ctx => ({ ...ctx, platform: { ...node.platform } });
    const quoted = async (): Promise<bigint> => {
      const { highest_micro, fee_micro } = await quoteRun({ ctx: elsewhere(), input: { agent: 'triage' } });
      return highest_micro - fee_micro;
    };
    await reprice('openai/gpt-4o', '10');
    await sleep(2);
    const [earlier, at_ten] = [new Date().toISOString(), await quoted()];
    await sleep(2);
    await reprice('openai/gpt-4o', '30');
    await sleep(2);
    expect(await quoted()).toBe(3n * at_ten);
    const rows = [earlier, new Date().toISOString()].map((time) => `${time},openai/gpt-4o,1000000,0`);
    const source = (async function* () {
      yield Buffer.from(['time,model,input_tokens,output_tokens', ...rows].join('\n'));
    })();
    await importUsage({ ctx: elsewhere(), input: { source, format: 'csv', key: 'calls' } });
    const [totals] = (await usageTotals({ ctx, input: {} })).rows;
    expect(Number(totals?.cost_usd)).toBe(10 + 30);
  });

  // Planted bug that turns it red: makeBasis() with the published prices.
  it('tell findings what a model of one’s own costs', async () => {
    const ctx = await node.newOrg('mid');
    const prices = ['input,4', 'cached_input,0.4', 'output,8'].map((each) => `acme,llama-70b,${each}`);
    const text = ['provider,model,kind,usd_mtok', ...prices].join('\n');
    await importPrices({ platform: node.platform, input: { text, format: 'csv', by: 'ada' } });
    await eventually('the own model', async () => (await priceNow('llama-70b')) === '4');
    const start_ms = Date.now();
    const rows = Array.from({ length: 60 }, (_, place) => {
      const time = new Date(start_ms + place * 10).toISOString();
      return `${time},llama-70b,faq,100000,100,prefix,90000`;
    });
    const head = 'time,model,feature,input_tokens,output_tokens,prefix_hash,prefix_tokens';
    const source = (async function* () {
      yield Buffer.from([head, ...rows].join('\n'));
    })();
    await importUsage({ ctx, input: { source, format: 'csv', key: 'own' } });
    node.worker.start();
    const events = await node.ended(ctx, await node.ask(ctx, 'optimization', 'What can we save?'));
    await node.worker.stop();
    const [end] = only(events, 'agent_completed');
    expect(JSON.stringify(end?.data.output)).toContain('(5310000 × (4 − 0.4)) / 1000000 = 19.116');
  });
});
