/**
 * Segment: operators who price what they sell.
 * Goal: plans and fees are edited as dated data, with every mistake told before anything is written.
 * Value: a new price never reaches into a period that was sold, and it is known who made it.
 * Strategic impact: a plan edit that wiped balances is what made others refund a whole customer base.
 */
import { suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { readBalance } from '../../../server/ledger/index.ts';
import {
  changePlan,
  importPlans,
  listBookChanges,
  listPlans,
  planOf,
  planThatLifts,
  readPlanBook,
  readSubscription,
  retirePlan,
  subscribe,
  type BookDifference,
} from '../../../server/plans/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';
import { ageSubscription } from './age-subscription.ts';
import { refusal } from './credits/stage.ts';

const home = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(home);
});

const terms = {
  plan: 'team',
  price_usd: '49.00',
  credits: '2000',
  runs_month: 200,
  seconds_run: 120,
  concurrent_runs: 3,
  requests_hour: null,
  agents: ['triage', 'data'],
  features: ['usage_import'],
  priority: 15,
  rollover_periods: 0,
  overage: 'cap',
  overage_usd_credit: '0.03',
};
const day_ms = 86_400_000;
const inDays = (days: number): string => new Date(Date.now() + days * day_ms).toISOString();

function put(file: object, dry_run = false): Promise<readonly BookDifference[]> {
  return importPlans({ platform: node.platform, input: { text: JSON.stringify(file), by: 'ada', dry_run } });
}
const rowsOf = async (plan: string) =>
  (await readPlanBook({ platform: node.platform })).plans.filter(({ plan_id }) => plan_id === plan);

async function onPlan(plan: string): Promise<Ctx> {
  const ctx = await node.newOrg();
  await subscribe({ ctx, input: { plan } });
  return ctx;
}
const balance = async (ctx: Ctx): Promise<bigint> => (await readBalance({ ctx, input: {} })).balance_micro / credit;

describe('the editor of plans', () => {
  // Planted bug that turns it red: compareAll() that does not skip what is said already.
  it('adds a plan, says so, and changes nothing the second time', async () => {
    const file = { plans: [{ ...terms, plan: 'solo' }] };
    expect(await put(file, true)).toMatchObject([{ action: 'add', subject: 'solo', before: null }]);
    expect(await rowsOf('solo'), 'a dry run writes nothing').toEqual([]);
    expect(await put(file)).toHaveLength(1);
    expect(await put(file)).toEqual([]);
    const [row, ...more] = await rowsOf('solo');
    expect(row).toMatchObject({ price_usd: '49.00', credits_micro: 2_000n * credit, on_sale: true, runs_month: 200 });
    expect(more).toEqual([]);
    expect(await listBookChanges({ platform: node.platform, input: { subject: 'solo' } })).toMatchObject([
      { changed_by: 'ada', book: 'plan', action: 'add', valid_from: row?.valid_from },
    ]);
    expect(await balance(await onPlan('solo'))).toBe(2_000n);
  });

  // Planted bug that turns it red: change_book() that updates the row in force instead of adding one.
  it('leaves a running period its terms and its credits, and gives the next one the new', async () => {
    await put({ plans: [terms] });
    const ctx = await onPlan('team');
    await put({ plans: [{ ...terms, price_usd: '59.00', credits: '1500', concurrent_runs: 7 }] });
    expect(await readSubscription({ ctx, input: {} })).toMatchObject({ price_usd: '49.00' });
    expect(await planOf({ ctx, input: {} })).toMatchObject({ concurrent_runs: 3 });
    expect(await balance(ctx), 'not wiped, not topped up').toBe(2_000n);
    // The same plan again is no change of plan.
    expect(await changePlan({ ctx, input: { plan: 'team' } })).toMatchObject({ plan_id: 'team', granted_micro: 0n });
    expect(await balance(ctx)).toBe(2_000n);
    const other = await onPlan('team');
    expect(await readSubscription({ ctx: other, input: {} })).toMatchObject({ price_usd: '59.00' });
    expect(await balance(other)).toBe(1_500n);
  });

  it('takes terms for a later day, which can be changed until they begin', async () => {
    const plan = { ...terms, plan: 'later' };
    const valid_from = inDays(3);
    await put({ plans: [plan] });
    await put({ plans: [{ ...plan, price_usd: '60.00', valid_from }] });
    expect(await put({ plans: [{ ...plan, price_usd: '61.00', valid_from }] })).toMatchObject([
      { action: 'replace', before: { price_usd: '60' }, row: { price_usd: '61' } },
    ]);
    expect((await rowsOf('later')).map(({ price_usd }) => price_usd)).toEqual(['49.00', '61.00']);
    const [first] = await rowsOf('later');
    const begun = { ...plan, price_usd: '1.00', valid_from: first?.valid_from.toISOString() };
    expect((await refusal(put({ plans: [begun] }))).message).toMatch(/has begun/);
    expect((await refusal(put({ plans: [{ ...plan, valid_from: inDays(-1), credits: '1' }] }))).message).toMatch(
      /past/,
    );
    // The database says so too, whoever asks.
    const change = { book: 'plan', subject: 'later', valid_from: first?.valid_from, action: 'replace', row: {} };
    const write = (revision: string) =>
      node.platform.postgres.call({
        text: `select netra.change_book('eve', (${revision}), $1::jsonb)`,
        values: [JSON.stringify([change])],
      });
    expect((await refusal(write('select max(change_id) from netra.book_change'))).code).toBe('conflict');
    expect((await refusal(write('0'))).code).toBe('conflict');
  });

  // Planted bug that turns it red: readPlanFile() that stops at the first entry with a problem.
  it('names every problem of a file at once, and writes none of it', async () => {
    const before = await readPlanBook({ platform: node.platform });
    const file = {
      plans: [
        { ...terms, plan: 'good' },
        { ...terms, plan: 'Bad Name', price_usd: '-1', credits: 10 },
        { ...terms, plan: 'half', overage: 'stop', seconds_run: 0, surprise: true },
        { ...terms, plan: 'stranger', agents: ['triage', 'unheard-of'] },
        { ...terms, plan: 'good' },
        { plan: 'empty' },
      ],
      fees: [{ agent: 'data', fee_credits: '0' }, { agent: 'triage', fee_credits: '-5' }, { agent: 'research' }],
    };
    const { code, detail } = await refusal(put(file));
    expect(code).toBe('invalid_request');
    const problems = detail['problems'] as readonly string[];
    for (const [entry, field] of [
      ['plan 2', 'plan'],
      ['plan 2', 'price_usd'],
      ['plan 2', 'credits'],
      ['plan 3', 'seconds_run'],
      ['plan 3', 'surprise'],
      ['plan stranger', 'unheard-of'],
      ['plan good', 'given twice'],
      ['plan 6', 'price_usd'],
      ['fee 1', 'more than zero'],
      ['fee 2', 'fee_credits'],
      ['fee 3', 'fee_credits'],
    ] as const) {
      expect(
        problems.some((problem) => problem.startsWith(entry) && problem.includes(field)),
        `${entry}: ${field} in ${problems.join('\n')}`,
      ).toBe(true);
    }
    const after = await readPlanBook({ platform: node.platform });
    expect({ ...after, now: before.now }).toEqual(before);
    const closed = put({ plans: [{ ...terms, plan: 'free', on_sale: false }] });
    expect((await refusal(closed)).message, 'nobody could sign up').toMatch(/NETRA_SIGNUP_PLAN/);
    for (const text of ['{"plans": [', '[]', '{"prices": []}']) {
      const call = importPlans({ platform: node.platform, input: { text, by: 'ada' } });
      expect((await refusal(call)).code).toBe('invalid_request');
    }
  });

  it('lets a plan be free, and no fee', async () => {
    await put({ plans: [{ ...terms, plan: 'gratis', price_usd: '0.00' }] });
    const ctx = await onPlan('gratis');
    expect(await readSubscription({ ctx, input: {} })).toMatchObject({ price_usd: '0.00' });
    await put({ fees: [{ agent: 'data', fee_credits: '60' }] });
    const fee = await node.owner(`select netra.agent_fee_of('data')::text as fee`);
    expect(fee).toEqual([{ fee: '60000000' }]);
  });

  // Planted bug that turns it red: plan_that_lifts() without `on_sale`.
  it('retires a plan: who is on it stays, nobody new gets it, and it comes back by importing it', async () => {
    const plan = { ...terms, plan: 'old', price_usd: '0.50', agents: ['triage', 'research'] };
    await put({ plans: [plan] });
    const ctx = await onPlan('old');
    const { platform } = node;
    const lifts = () => planThatLifts({ platform, limit: 'agents', name: 'research' });
    expect(await lifts()).toBe('old');
    expect(await retirePlan({ platform, input: { plan: 'old', by: 'ada' } })).toMatchObject({ action: 'retire' });
    expect(await retirePlan({ platform, input: { plan: 'old', by: 'ada' } })).toBeNull();
    expect(await lifts()).toBe('enterprise');
    expect((await listPlans({ platform })).map(({ plan_id }) => plan_id)).not.toContain('old');
    expect((await refusal(onPlan('old'))).code).toBe('not_found');
    const elsewhere = await onPlan('free');
    expect((await refusal(changePlan({ ctx: elsewhere, input: { plan: 'old' } }))).code).toBe('not_found');
    expect(await changePlan({ ctx, input: { plan: 'old' } })).toMatchObject({ plan_id: 'old' });
    // As if the plan had been retired before the last period ended: its rows of today were not in force then.
    await node.owner(`insert into netra.plan select (jsonb_populate_record(p, '{"valid_from": "2026-02-01Z"}')).*
      from netra.plan p where p.plan_id = 'old' and not p.on_sale`);
    await ageSubscription(node, ctx, { days: 45 });
    expect(await planOf({ ctx, input: {} }), 'the next period too').toMatchObject({ plan_id: 'old' });
    await put({ plans: [plan] });
    expect(await lifts()).toBe('old');
    expect((await refusal(retirePlan({ platform, input: { plan: 'free', by: 'ada' } }))).code).toBe('conflict');
    expect((await refusal(retirePlan({ platform, input: { plan: 'none', by: 'ada' } }))).code).toBe('not_found');
  });

  it('lets one of two editors win, and loses nothing of the other', async () => {
    const names = Array.from({ length: 6 }, (_, place) => `racer${place}`);
    const outcomes = await Promise.allSettled(names.map((plan) => put({ plans: [{ ...terms, plan }] })));
    const won = names.filter((_, place) => outcomes[place]?.status === 'fulfilled');
    expect(won.length).toBeGreaterThan(0);
    for (const name of names) expect(await rowsOf(name)).toHaveLength(won.includes(name) ? 1 : 0);
  });

  it('keeps the record of changes as it is', async () => {
    await expect(node.owner(`update netra.book_change set changed_by = 'nobody'`)).rejects.toThrow(/append-only/);
    await expect(
      node.platform.postgres.call({ text: 'update netra.plan set price_usd = 0', values: [] }),
    ).rejects.toThrow(/permission denied/);
  });
});
