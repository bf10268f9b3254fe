/**
 * Segment: customers who pay by the month.
 * Goal: a subscription goes up, down, ends and comes back exactly as it was said, whoever asks how often.
 * Value: nobody pays for a period that was not entered, and no period is entered for nothing.
 * Strategic impact: a cancellation that does not hold, or a period billed twice, is how a customer is lost in public.
 */
import { suite } from '@netra/testkit';
import { Big } from 'big.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkBooks, readBalance } from '../../../server/ledger/index.ts';
import {
  cancelSubscription,
  changePlan,
  grantDuePeriods,
  planOf,
  reactivateSubscription,
  readSubscription,
  subscribe,
} from '../../../server/plans/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';
import { ageSubscription } from './age-subscription.ts';
import { refusal } from './credits/stage.ts';
import { plans, type Plan } from './plan-table.ts';

const home = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(home);
});

interface Charge {
  readonly period_index: number;
  readonly kind: string;
  readonly plan_id: string;
  readonly exact_usd: string;
  readonly at: Date;
  readonly period_start: Date;
  readonly period_end: Date;
}

async function onPlan(plan: Plan): Promise<Ctx> {
  const ctx = await node.newOrg();
  await subscribe({ ctx, input: { plan } });
  return ctx;
}

async function chargesOf({ principal: { org_id } }: Ctx): Promise<readonly Charge[]> {
  const text = `select period_index, kind, plan_id, exact_usd::text, at, period_start, period_end
                  from netra.subscription_charge where org_id = $1 order by period_index, kind, at`;
  return node.owner<Charge>(text, [org_id]);
}
const brief = (charges: readonly Charge[]): readonly string[] =>
  charges.map(({ period_index, kind, plan_id, exact_usd }) => `${period_index} ${kind} ${plan_id} ${exact_usd}`);
const balance = async (ctx: Ctx): Promise<bigint> => (await readBalance({ ctx, input: {} })).balance_micro / credit;
const read = (ctx: Ctx) => readSubscription({ ctx, input: {} });
const cancel = (ctx: Ctx) => cancelSubscription({ ctx, input: {} });
const reactivate = (ctx: Ctx) => reactivateSubscription({ ctx, input: {} });
const seconds = (at: Date): number => Math.floor(at.getTime() / 1000);

describe('what a subscription owes', () => {
  // Planted bug that turns it red: roll_periods() without charge_period(), or charge_period() without its unique index.
  it('charges each period once, the first and those that nobody looked at, whoever asks at the same time', async () => {
    const ctx = await onPlan('early');
    expect(brief(await chargesOf(ctx))).toEqual(['0 base early 29.99']);
    // The period that the subscription is in began three months before the one that it should be in.
    await ageSubscription(node, ctx, { days: 100 });
    await node.owner(
      `update netra.subscription set period_end = netra.period_start_of(anchor_at, 1) where org_id = $1`,
      [ctx.principal.org_id],
    );
    const { platform } = node;
    await Promise.all([
      ...Array.from({ length: 4 }, () => planOf({ ctx, input: {} })),
      ...Array.from({ length: 4 }, () => grantDuePeriods({ platform, limit: 100 })),
    ]);
    expect(brief(await chargesOf(ctx))).toEqual([0, 1, 2, 3].map((period) => `${period} base early 29.99`));
    const charges = await chargesOf(ctx);
    for (const [place, { period_start }] of charges.slice(1).entries()) {
      expect(period_start, 'periods touch').toEqual(charges[place]?.period_end);
    }
    expect(await balance(ctx), 'credits of periods that are over were not given').toBe(1_000n);
  });

  // Planted bug that turns it red: charge_upgrade() that takes the whole difference, or rounds it to cents.
  it('charges an upgrade the difference of the prices for the seconds that are left, exactly', async () => {
    const ctx = await onPlan('free');
    await ageSubscription(node, ctx, { days: 10 });
    let from: Plan = 'free';
    for (const to of ['early', 'mid', 'enterprise'] as const) {
      await changePlan({ ctx, input: { plan: to } });
      await changePlan({ ctx, input: { plan: to } });
      const charge = (await chargesOf(ctx)).findLast(({ kind }) => kind === 'upgrade');
      if (charge === undefined) throw new Error('no upgrade was charged');
      const { at, period_start, period_end } = charge;
      const total = seconds(period_end) - seconds(period_start);
      const owed = new Big(plans[to].usd).minus(plans[from].usd).times(seconds(period_end) - seconds(at));
      // To the 20th decimal: multiplied back, less than half a unit of it is lost a second.
      expect(new Big(charge.exact_usd).times(total).minus(owed).abs().lte(new Big(total).times('0.5e-20'))).toBe(true);
      expect(charge.plan_id).toBe(to);
      from = to;
    }
    expect((await chargesOf(ctx)).filter(({ kind }) => kind === 'upgrade')).toHaveLength(3);
  });

  // Planted bug that turns it red: charge_upgrade() without greatest().
  it('pays nothing back for an upgrade to a plan that costs less and gives more', async () => {
    const ctx = await onPlan('mid');
    const bargain = `insert into netra.plan select (jsonb_populate_record(p, '{"plan_id": "bargain", "price_usd": 900,
      "credits_micro": 6000000000}')).* from netra.plan p where p.plan_id = $1 order by p.valid_from limit 1`;
    await node.owner(bargain, ['mid']);
    await changePlan({ ctx, input: { plan: 'bargain' } });
    const { granted_micro } = await changePlan({ ctx, input: { plan: 'enterprise' } });
    expect(granted_micro).toBeGreaterThan(0n);
    const upgrades = (await chargesOf(ctx)).filter(({ kind }) => kind === 'upgrade');
    expect(upgrades.find(({ plan_id }) => plan_id === 'enterprise')?.exact_usd).toBe('0');
  });

  // Planted bug that turns it red: grant_period_once() asked whether or not charge_period() entered the period.
  it('gives an upgrade from a plan without credits its share, and not the month on top', async () => {
    const ctx = await node.newOrg();
    await node.owner(`insert into netra.plan select (p).* from (select (jsonb_populate_record(f, '{"plan_id": "bare",
      "credits_micro": 0}')) as p from netra.plan f where f.plan_id = 'free' limit 1) x on conflict do nothing`);
    await subscribe({ ctx, input: { plan: 'bare' } });
    await ageSubscription(node, ctx, { days: 20 });
    const { granted_micro } = await changePlan({ ctx, input: { plan: 'early' } });
    expect(granted_micro).toBeLessThan(500n * credit);
    await grantDuePeriods({ platform: node.platform, limit: 100 });
    await planOf({ ctx, input: {} });
    await changePlan({ ctx, input: { plan: 'early' } });
    expect((await readBalance({ ctx, input: {} })).balance_micro).toBe(granted_micro);
  });
});

describe('ending a subscription', () => {
  // Planted bug that turns it red: cancel_subscription() that ends the plan at once.
  it('keeps the plan to the end of the period, then falls to the free one; credits end by their own terms', async () => {
    const ctx = await onPlan('mid');
    const before = await read(ctx);
    expect(await cancel(ctx)).toMatchObject({ plan_id: 'mid', next_plan_id: 'free', cancelled_at: expect.any(Date) });
    expect(await planOf({ ctx, input: {} })).toMatchObject({ plan_id: 'mid', concurrent_runs: 5 });
    expect((await read(ctx)).period_end).toEqual(before.period_end);
    await ageSubscription(node, ctx, { periods: 1 });
    const { period_start } = await planOf({ ctx, input: {} });
    expect(await read(ctx)).toMatchObject({
      plan_id: 'free',
      next_plan_id: null,
      cancelled_at: null,
      ended_plan_id: 'mid',
      plan_ended_at: period_start,
    });
    expect(brief(await chargesOf(ctx))).toEqual(['0 base mid 99.99', '1 base free 0.00']);
    expect(await balance(ctx), "mid's month rolls over once").toBe(5_100n);
    await ageSubscription(node, ctx, { periods: 1 });
    await planOf({ ctx, input: {} });
    expect(await balance(ctx), 'and then ends').toBe(100n);
  });

  // Planted bug that turns it red: cancel_subscription() without `if cancelled_at is not null then return`.
  it('is the same however often it is asked for, and at the same time', async () => {
    const ctx = await onPlan('early');
    const answers = await Promise.all(Array.from({ length: 10 }, () => cancel(ctx)));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    const version = 'select version from netra.subscription where org_id = $1';
    expect(await node.owner(version, [ctx.principal.org_id])).toEqual([{ version: 1 }]);
    const back = await Promise.all(Array.from({ length: 10 }, () => reactivate(ctx)));
    for (const answer of back)
      expect(answer).toMatchObject({ plan_id: 'early', next_plan_id: null, cancelled_at: null });
    expect(await node.owner(version, [ctx.principal.org_id])).toEqual([{ version: 2 }]);
  });

  it('is dropped before the end, and by any other choice of plan', async () => {
    const ctx = await onPlan('mid');
    const kept = await read(ctx);
    await cancel(ctx);
    expect(await reactivate(ctx)).toEqual(kept);
    await cancel(ctx);
    await changePlan({ ctx, input: { plan: 'early' } });
    expect(await read(ctx)).toMatchObject({ plan_id: 'mid', next_plan_id: 'early', cancelled_at: null });
    await cancel(ctx);
    await changePlan({ ctx, input: { plan: 'enterprise' } });
    expect(await read(ctx)).toMatchObject({ plan_id: 'enterprise', next_plan_id: null, cancelled_at: null });
    expect(await balance(ctx), 'a few seconds less than the month').toBeGreaterThan(24_900n);
  });

  // Planted bug that turns it red: reactivate_subscription() that does not look at `ended_plan_id`.
  it('is taken back after the end by subscribing again, prorated, once', async () => {
    const ctx = await onPlan('early');
    await cancel(ctx);
    await ageSubscription(node, ctx, { periods: 1 });
    expect(await read(ctx)).toMatchObject({ plan_id: 'free', ended_plan_id: 'early' });
    const before = await balance(ctx);
    await Promise.all(Array.from({ length: 6 }, () => reactivate(ctx)));
    expect(await read(ctx)).toMatchObject({ plan_id: 'early', ended_plan_id: null, plan_ended_at: null });
    const charges = (await chargesOf(ctx)).filter(({ kind }) => kind === 'upgrade');
    expect(charges).toHaveLength(1);
    expect(new Big(charges[0]?.exact_usd ?? 0).gt(0)).toBe(true);
    const grants = await node.owner(`select from netra.credit_grant where org_id = $1 and source = 'upgrade'`, [
      ctx.principal.org_id,
    ]);
    expect(grants).toHaveLength(1);
    expect(await balance(ctx)).toBeGreaterThan(before);
  });

  it('is for owners and admins, and not for the plan that it leads to', async () => {
    const ctx = await onPlan('early');
    for (const role of ['member', 'viewer'] as const) {
      const asked = node.as(ctx, role);
      for (const verb of [read, cancel, reactivate]) expect((await refusal(verb(asked))).code).toBe('forbidden');
    }
    expect((await refusal(cancel(await onPlan('free')))).code).toBe('conflict');
    expect((await refusal(cancel(await node.newOrg()))).code).toBe('not_found');
  });

  // Planted bug that turns it red: tell_subscription() without the version in its key, or none at the end of a plan.
  it('tells of each change once, and of the end', async () => {
    const ctx = await onPlan('early');
    const { org_id } = ctx.principal;
    await cancel(ctx);
    await cancel(ctx);
    await reactivate(ctx);
    await cancel(ctx);
    await ageSubscription(node, ctx, { periods: 1 });
    await Promise.all(Array.from({ length: 5 }, () => planOf({ ctx, input: {} })));
    const told = await node.owner<{ type: string; key: string; plan: string }>(
      `select type, key, data ->> 'plan' as plan from netra.webhook_event
        where org_id = $1 and type like 'subscription.%' order by ordinal`,
      [org_id],
    );
    expect(told.map(({ type, plan }) => `${type} ${plan}`)).toEqual([
      'subscription.changed early',
      'subscription.changed early',
      'subscription.changed early',
      'subscription.ended free',
    ]);
    expect(new Set(told.map(({ key }) => key)).size).toBe(4);
  });

  it('M1–M3 hold after all of it', async () => {
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });
});
