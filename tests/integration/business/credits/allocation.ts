import { expect, it } from 'vitest';
import { changePlan, grantDuePeriods, listPlans, planOf, subscribe } from '../../../../server/plans/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { credit, type LedgerNode } from '../../ledger-node.ts';
import { ageSubscription } from '../age-subscription.ts';
import { planNames, plans } from '../plan-table.ts';
import { balance, refusal, type Stage } from './stage.ts';

interface Movement {
  readonly at: Date;
  readonly reason: string;
  readonly issued_micro: string;
}

async function grantsOf(node: LedgerNode, ctx: Ctx): Promise<readonly Movement[]> {
  const text = `select at, reason, issued_micro::text from netra.transfer
                 where org_id = $1 and kind = 'grant' order by version`;
  return node.owner<Movement>(text, [ctx.principal.org_id]);
}

/** credits-1; call it inside its describe block. */
export function allocation(stage: () => Stage): void {
  // Planted bug that turns it red: any other figure in the plan's row of 0003_plans.up.sql.
  it.each(planNames)(
    'credits-1 gives the %s plan its credits and its limits, as the contract lists them',
    async (plan) => {
      const ctx = await stage().onPlan(plan);
      const terms = plans[plan];
      expect(await balance(ctx)).toBe(terms.credits * credit);
      const found = await planOf({ ctx, input: {} });
      expect(found).toMatchObject({
        plan_id: plan,
        runs_month: terms.runs,
        seconds_run: terms.seconds,
        concurrent_runs: terms.at_once,
        requests_hour: terms.requests,
      });
      expect(found.agents.filter((agent) => agent !== 'rehearsal')).toEqual(terms.agents);
      const price = (await listPlans({ platform: stage().node.platform })).find(
        ({ plan_id }) => plan_id === plan,
      )?.price_usd;
      expect(price).toBe(terms.usd);
    },
  );

  // Planted bug that turns it red: grant_period_once() without its exists() and with a random key.
  it('credits-1 grants a period once, whoever asks how often at the same time', async () => {
    const ctx = await stage().node.newOrg();
    await Promise.all(Array.from({ length: 12 }, () => subscribe({ ctx, input: { plan: 'early' } })));
    expect(await balance(ctx)).toBe(1_000n * credit);
    await ageSubscription(stage().node, ctx, { periods: 1 });
    await Promise.all(
      Array.from({ length: 8 }, () => grantDuePeriods({ platform: stage().node.platform, limit: 100 })),
    );
    expect((await grantsOf(stage().node, ctx)).map(({ reason }) => reason)).toEqual([
      'early plan, period 0',
      'early plan, period 1',
    ]);
    expect(await balance(ctx), 'early credits do not roll over').toBe(1_000n * credit);
  });

  // Planted bug that turns it red: the whole difference, or none, instead of the share of the seconds left.
  it('credits-1 gives an upgrade the prorated difference at once, to the second', async () => {
    const ctx = await stage().onPlan('free');
    await ageSubscription(stage().node, ctx, { days: 10 });
    const steps = [
      ['free', 'early'],
      ['early', 'mid'],
      ['mid', 'enterprise'],
    ] as const;
    let expected = plans.free.credits * credit;
    for (const [from, to] of steps) {
      const change = await changePlan({ ctx, input: { plan: to } });
      const at = (await grantsOf(stage().node, ctx)).at(-1)?.at ?? new Date(0);
      const { period_start, period_end } = await planOf({ ctx, input: {} });
      const seconds = (one: Date, other: Date): bigint =>
        BigInt(Math.floor(other.getTime() / 1000) - Math.floor(one.getTime() / 1000));
      const difference = (plans[to].credits - plans[from].credits) * credit;
      const prorated = (difference * seconds(at, period_end)) / seconds(period_start, period_end);
      expect(change).toMatchObject({ plan_id: to, next_plan_id: null, granted_micro: prorated });
      expect(prorated < difference && prorated > difference / 2n, 'two thirds of the period are left').toBe(true);
      expected += prorated;
      expect(await balance(ctx)).toBe(expected);
    }
    expect(await planOf({ ctx, input: {} })).toMatchObject({ plan_id: 'enterprise', concurrent_runs: 10 });
  });

  // Planted bug that turns it red: change_plan() that writes plan_id for a downgrade too.
  it('credits-1 lets a downgrade wait for the end of the period', async () => {
    const ctx = await stage().onPlan('early');
    const change = await changePlan({ ctx, input: { plan: 'free' } });
    const { period_end } = await planOf({ ctx, input: {} });
    expect(change).toEqual({ plan_id: 'early', next_plan_id: 'free', effective_at: period_end, granted_micro: 0n });
    expect(await balance(ctx)).toBe(1_000n * credit);
    await ageSubscription(stage().node, ctx, { periods: 1 });
    // No schedule has run: whoever asks for the plan sees the period that it is.
    expect(await planOf({ ctx, input: {} })).toMatchObject({ plan_id: 'free', runs_month: 10 });
    expect(await balance(ctx)).toBe(100n * credit);
  });

  it('credits-1 drops a waiting downgrade for an upgrade, or for the plan that there is', async () => {
    const ctx = await stage().onPlan('mid');
    await changePlan({ ctx, input: { plan: 'free' } });
    expect(await changePlan({ ctx, input: { plan: 'mid' } })).toMatchObject({ plan_id: 'mid', next_plan_id: null });
    await changePlan({ ctx, input: { plan: 'early' } });
    expect(await changePlan({ ctx, input: { plan: 'enterprise' } })).toMatchObject({
      plan_id: 'enterprise',
      next_plan_id: null,
    });
    expect((await refusal(changePlan({ ctx: stage().node.as(ctx, 'member'), input: { plan: 'free' } }))).code).toBe(
      'forbidden',
    );
    expect((await refusal(changePlan({ ctx, input: { plan: 'platinum' } }))).code).toBe('not_found');
  });

  // Planted bug that turns it red: rollover_periods of mid set to 0 or 2.
  it('credits-1 rolls unused credits over once on mid, up to twice the month on enterprise', async () => {
    const expected = { mid: [5_000n, 10_000n, 10_000n], enterprise: [25_000n, 50_000n, 75_000n, 75_000n] };
    for (const plan of ['mid', 'enterprise'] as const) {
      const ctx = await stage().onPlan(plan);
      for (const [period, credits] of expected[plan].entries()) {
        if (period > 0) await ageSubscription(stage().node, ctx, { periods: 1 });
        await planOf({ ctx, input: {} });
        expect(await balance(ctx), `${plan}, period ${period}`).toBe(credits * credit);
      }
    }
  });

  it('credits-1 keeps the day of the month that a subscription began on', async () => {
    const text = `select netra.period_start_of('2026-01-31 10:00Z', n) as start from generate_series(0, 3) n`;
    const starts = await stage().node.owner<{ start: Date }>(text);
    expect(starts.map(({ start }) => start.toISOString().slice(0, 10))).toEqual([
      '2026-01-31',
      '2026-02-28',
      '2026-03-31',
      '2026-04-30',
    ]);
  });
}
