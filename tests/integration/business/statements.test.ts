/**
 * Segment: whoever has to explain a bill
 * Goal: what was spent, by whom and on what, adds up to the ledger to the micro-credit
 * Value: costs can be charged on inside the customer's own house
 * Strategic impact: figures that finance departments accept
 */
import { randomUUID } from 'node:crypto';
import { createAccount, startServer, suite } from '@netra/testkit';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import {
  captureHold,
  exportTransfers,
  openWallet,
  placeHold,
  readStatement,
  refundHold,
  settleHold,
} from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';
import { refusal } from './credits/stage.ts';

const own = suite();
const ways = ['organisation', 'user', 'agent', 'model', 'day'] as const;
let node: LedgerNode;

beforeAll(async () => {
  node = await openLedger(own);
});

interface Run {
  readonly user: string | null;
  readonly agent: string;
  readonly model: string;
  readonly model_micro: bigint;
  readonly fee_micro: bigint;
  readonly refund_micro: bigint;
}

async function play(ctx: Ctx, { user, agent, model, model_micro, fee_micro, refund_micro }: Run): Promise<void> {
  const key = randomUUID();
  const amount_micro = model_micro + fee_micro + 1n;
  const reason = 'run';
  const { hold_id } = await placeHold({ ctx, input: { amount_micro, reason, key, agent, user_id: user } });
  await captureHold({ ctx, input: { hold_id, amount_micro: model_micro, reason: 'model', key: `${key}/m`, model } });
  await settleHold({ ctx, input: { hold_id, capture_micro: fee_micro, reason, key } });
  if (refund_micro > 0n)
    await refundHold({ ctx, input: { hold_id, amount_micro: refund_micro, reason: 'sorry', key } });
}

async function lines(ctx: Ctx, by: (typeof ways)[number], limit = 200) {
  const items = [];
  let cursor: string | undefined;
  for (let page = 0; page < 50; page += 1) {
    const found = await readStatement({ ctx, input: { by, limit, ...(cursor === undefined ? {} : { cursor }) } });
    items.push(...found.items);
    if (found.next === null) return { total: found.total, items };
    cursor = found.next;
  }
  throw new Error('a statement that does not end');
}

async function text(ctx: Ctx, format: 'csv' | 'ndjson'): Promise<string> {
  let all = '';
  for await (const piece of await exportTransfers({ ctx, input: { format } })) all += piece;
  return all;
}

// Planted bug that turns it red: refunds counted as fees (`kind <> 'refund'` dropped in sql/statement.ts).
test('fee, model cost and refunds are told apart, and add up', async () => {
  const ctx = await node.newOrg(1_000n);
  const run = { user: 'ada', agent: 'data', model: 'gpt', model_micro: 7n, fee_micro: 50n * credit, refund_micro: 3n };
  await play(ctx, run);
  await play(ctx, { ...run, user: null, agent: 'triage', model: 'opus', refund_micro: 0n });
  expect((await lines(ctx, 'user')).items).toMatchObject([
    { of: 'ada', fee_micro: '50000000', model_micro: '7', refunded_micro: '3', spent_micro: '50000004' },
    { of: null, fee_micro: '50000000', model_micro: '7', refunded_micro: '0', spent_micro: '50000007' },
  ]);
  expect((await lines(ctx, 'model')).items).toMatchObject([
    { of: 'gpt', spent_micro: '7' },
    { of: 'opus', spent_micro: '7' },
    { of: null, fee_micro: '100000000', model_micro: '0', refunded_micro: '3', spent_micro: '99999997' },
  ]);
});

// Planted bug that turns it red: a page that begins at its cursor instead of after it (`>=` in sql/statement.ts).
test('lines by anything add up to what the ledger spent, whatever was done, page by page', async () => {
  const micro = fc.bigInt({ min: 1n, max: 90n * credit });
  const run = fc.record({
    user: fc.constantFrom(null, 'ada', 'bob', 'çelik', 'O’Neil', '日本', 'Zoe'),
    agent: fc.constantFrom('triage', 'data', 'optimization'),
    model: fc.constantFrom('gpt', 'opus', 'm/2'),
    model_micro: micro,
    fee_micro: micro,
    refund_micro: fc.constantFrom(0n, 1n),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(run, { minLength: 1, maxLength: 12 }), async (runs) => {
      const ctx = await node.newOrg(100_000n);
      for (const one of runs) await play(ctx, one);
      const [spent] = await node.owner<{ sum: string }>(
        'select sum(spent_micro - refunded_micro)::text as sum from netra.hold where org_id = $1',
        [ctx.principal.org_id],
      );
      for (const by of ways) {
        const { total, items } = await lines(ctx, by, 2);
        const sum = (name: 'fee_micro' | 'model_micro' | 'refunded_micro' | 'spent_micro'): bigint =>
          items.reduce((all, item) => all + BigInt(item[name]), 0n);
        expect(new Set(items.map(({ of }) => of)).size, `${by}: each line once`).toBe(items.length);
        expect(sum('spent_micro').toString(), by).toBe(spent?.sum);
        expect(total.spent_micro).toBe(spent?.sum);
        expect(sum('fee_micro') + sum('model_micro') - sum('refunded_micro')).toBe(sum('spent_micro'));
      }
      const rows = (await text(ctx, 'ndjson')).trim().split('\n');
      const exported = rows.map((row) => BigInt((JSON.parse(row) as { spent_micro: string }).spent_micro));
      expect(exported.reduce((all, one) => all + one, 0n).toString()).toBe(spent?.sum);
    }),
    { numRuns: 12 },
  );
}, 120_000);

// Planted bug that turns it red: `t.at <= $3`.
test('ranges side by side share no transfer and leave none out; another organisation’s are never seen', async () => {
  const [ctx, other] = [await node.newOrg(1_000n), await node.newOrg(1_000n)];
  const run = { user: 'ada', agent: 'data', model: 'gpt', model_micro: 5n, fee_micro: 10n, refund_micro: 0n };
  await play(ctx, run);
  // A range ends on a millisecond: only a transfer that stands on one tells "before" from "up to".
  await node.owner(`begin; set local session_replication_role = replica;
    update netra.transfer set at = date_trunc('milliseconds', at) where org_id = '${ctx.principal.org_id}'; commit`);
  const [row] = await node.owner<{ at: Date }>('select max(at) as at from netra.transfer where org_id = $1', [
    ctx.principal.org_id,
  ]);
  const at = row?.at ?? new Date(0);
  const spent = async (input: object) => BigInt((await readStatement({ ctx, input })).total.spent_micro);
  for (const edge of [at.toISOString(), new Date(at.getTime() + 1).toISOString()]) {
    const end = new Date(at.getTime() + 60_000).toISOString();
    expect((await spent({ to: edge })) + (await spent({ from: edge, to: end })), edge).toBe(15n);
  }
  expect((await readStatement({ ctx: other, input: {} })).total.spent_micro).toBe('0');
  expect((await readStatement({ ctx: other, input: { by: 'user' } })).items).toEqual([]);
  const backwards = { from: new Date(at.getTime() + 1).toISOString(), to: at.toISOString() };
  expect((await refusal(readStatement({ ctx, input: backwards }))).code).toBe('invalid_request');
  expect((await refusal(readStatement({ ctx, input: { cursor: 'xx' } }))).code).toBe('invalid_request');
});

// Planted bug that turns it red: cellOf() without its quote.
test('an export has each movement of each wallet once, and no text of it is a formula', async () => {
  const ctx = await node.newOrg(1_000n);
  await openWallet({ ctx, input: { wallet: 1, name: 'team' } });
  await node.platform.postgres.call({
    text: `select netra.move_credits($1, 0, 1, 1000, '=HYPERLINK("http://evil")', 'move')`,
    values: [ctx.principal.org_id],
  });
  const csv = (await text(ctx, 'csv')).trim().split('\n');
  expect(csv[0]).toMatch(/^wallet,transfer,at,kind,reason,user,agent,model,run,hold,available_micro,/);
  expect(csv).toHaveLength(4);
  expect(csv.filter((row) => row.includes(`"'=HYPERLINK(""http://evil"")"`))).toHaveLength(2);
  expect(csv.slice(1).map((row) => row.split(',').slice(0, 2).join('/'))).toEqual(['0/1', '0/2', '1/1']);
});

// Planted bug that turns it red: pageRows of a million.
test('an export of many movements is made piece by piece', async () => {
  const ctx = await node.newOrg(1_000n);
  const [org_id, many] = [ctx.principal.org_id, 50_000];
  await node.owner(
    `insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, available_after_micro,
                                 held_after_micro, debt_after_micro, hash)
     select $1, 0, n, 'expire', 'fill/' || n, 0, 'fill', 0, 0, 0, sha256('') from generate_series(2, $2::int) n`,
    [org_id, many],
  );
  await node.owner('update netra.wallet set version = $2 where org_id = $1', [org_id, many]);
  const pieces = await exportTransfers({ ctx, input: { format: 'ndjson' } });
  let [rows, largest] = [0, 0];
  for await (const piece of pieces) {
    const found = piece.split('\n').length - 1;
    rows += found;
    largest = Math.max(largest, found);
  }
  expect(rows).toBe(many);
  expect(largest).toBeLessThanOrEqual(2_000);
}, 60_000);

// Planted bug that turns it red: no requireFeature in routes/statement.ts.
test('the routes answer statements to everyone and exports to plans that have them', async () => {
  const server = await startServer({ env: own.env });
  own.onEnd(() => server.stop());
  const get = (token: string, path: string) =>
    fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const free = await createAccount({ env: own.env, plan: 'free' });
  const early = await createAccount({ env: own.env, plan: 'early' });
  const shown = await get(free.token, '/v1/statement?by=agent');
  expect([shown.status, await shown.json()]).toMatchObject([
    200,
    { by: 'agent', total: { spent_micro: '0' }, items: [] },
  ]);
  const refused = await get(free.token, '/v1/statement/export?format=csv');
  expect([refused.status, await refused.json()]).toMatchObject([
    403,
    { code: 'plan_limit', limit: 'features', plan_that_lifts_it: 'early' },
  ]);
  for (const [format, type] of [
    ['csv', 'text/csv; charset=utf-8'],
    ['ndjson', 'application/x-ndjson'],
  ]) {
    const sent = await get(early.token, `/v1/statement/export?format=${format}`);
    expect([sent.status, sent.headers.get('content-type')]).toEqual([200, type]);
    expect(await sent.text()).toContain('early plan, period 0');
  }
}, 60_000);
