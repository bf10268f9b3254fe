/**
 * Segment: every customer, free to enterprise.
 * Goal: each plan gives what it says, each charge is exact and happens once, and no limit can be passed.
 * Value: a customer is billed for what was agreed and used, and told which plan helps when it is not enough.
 * Strategic impact: plans and credits are the business model; a leak in either direction costs money or trust.
 */
import { randomUUID } from 'node:crypto';
import { NetraError } from '@netra/contract';
import { eventually, suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { admitRun } from '../../../server/agents/index.ts';
import {
  captureHold,
  checkBooks,
  grantCredits,
  listTransfers,
  placeHold,
  readBalance,
  settleHold,
} from '../../../server/ledger/index.ts';
import {
  changePlan,
  checkRequestRate,
  grantDuePeriods,
  listPlans,
  planOf,
  planThatLifts,
  requireFeature,
  subscribe,
} from '../../../server/plans/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { requestCancel } from '../../../server/runs/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';
import { ageSubscription } from './age-subscription.ts';
import { planNames, plans, type Plan } from './plan-table.ts';

const home = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(home);
});

async function onPlan(plan: Plan): Promise<Ctx> {
  const ctx = await node.newOrg();
  await subscribe({ ctx, input: { plan } });
  return ctx;
}

async function balance(ctx: Ctx): Promise<bigint> {
  return (await readBalance({ ctx, input: {} })).balance_micro;
}

async function refusal(call: Promise<unknown>): Promise<NetraError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof NetraError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

interface Movement {
  readonly at: Date;
  readonly reason: string;
  readonly issued_micro: string;
}

async function grantsOf(ctx: Ctx): Promise<readonly Movement[]> {
  const text = `select at, reason, issued_micro::text from netra.transfer
                 where org_id = $1 and kind = 'grant' order by version`;
  return node.owner<Movement>(text, [ctx.principal.org_id]);
}

describe('credits-1: allocation by plan', () => {
  // Planted bug that turns it red: any other figure in the plan's row of 0003_plans.up.sql.
  it.each(planNames)(
    'credits-1 gives the %s plan its credits and its limits, as the contract lists them',
    async (plan) => {
      const ctx = await onPlan(plan);
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
      const price = (await listPlans({ platform: node.platform })).find(({ plan_id }) => plan_id === plan)?.price_usd;
      expect(price).toBe(terms.usd);
    },
  );

  // Planted bug that turns it red: grant_period_once() without its exists() and with a random key.
  it('credits-1 grants a period once, whoever asks how often at the same time', async () => {
    const ctx = await node.newOrg();
    await Promise.all(Array.from({ length: 12 }, () => subscribe({ ctx, input: { plan: 'early' } })));
    expect(await balance(ctx)).toBe(1_000n * credit);
    await ageSubscription(node, ctx, { periods: 1 });
    await Promise.all(Array.from({ length: 8 }, () => grantDuePeriods({ platform: node.platform, limit: 100 })));
    expect((await grantsOf(ctx)).map(({ reason }) => reason)).toEqual(['early plan, period 0', 'early plan, period 1']);
    expect(await balance(ctx), 'early credits do not roll over').toBe(1_000n * credit);
  });

  // Planted bug that turns it red: the whole difference, or none, instead of the share of the seconds left.
  it('credits-1 gives an upgrade the prorated difference at once, to the second', async () => {
    const ctx = await onPlan('free');
    await ageSubscription(node, ctx, { days: 10 });
    const steps = [
      ['free', 'early'],
      ['early', 'mid'],
      ['mid', 'enterprise'],
    ] as const;
    let expected = plans.free.credits * credit;
    for (const [from, to] of steps) {
      const change = await changePlan({ ctx, input: { plan: to } });
      const at = (await grantsOf(ctx)).at(-1)?.at ?? new Date(0);
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
    const ctx = await onPlan('early');
    const change = await changePlan({ ctx, input: { plan: 'free' } });
    const { period_end } = await planOf({ ctx, input: {} });
    expect(change).toEqual({ plan_id: 'early', next_plan_id: 'free', effective_at: period_end, granted_micro: 0n });
    expect(await balance(ctx)).toBe(1_000n * credit);
    await ageSubscription(node, ctx, { periods: 1 });
    // No schedule has run: whoever asks for the plan sees the period that it is.
    expect(await planOf({ ctx, input: {} })).toMatchObject({ plan_id: 'free', runs_month: 10 });
    expect(await balance(ctx)).toBe(100n * credit);
  });

  it('credits-1 drops a waiting downgrade for an upgrade, or for the plan that there is', async () => {
    const ctx = await onPlan('mid');
    await changePlan({ ctx, input: { plan: 'free' } });
    expect(await changePlan({ ctx, input: { plan: 'mid' } })).toMatchObject({ plan_id: 'mid', next_plan_id: null });
    await changePlan({ ctx, input: { plan: 'early' } });
    expect(await changePlan({ ctx, input: { plan: 'enterprise' } })).toMatchObject({
      plan_id: 'enterprise',
      next_plan_id: null,
    });
    expect((await refusal(changePlan({ ctx: node.as(ctx, 'member'), input: { plan: 'free' } }))).code).toBe(
      'forbidden',
    );
    expect((await refusal(changePlan({ ctx, input: { plan: 'platinum' } }))).code).toBe('not_found');
  });

  // Planted bug that turns it red: rollover_periods of mid set to 0 or 2.
  it('credits-1 rolls unused credits over once on mid, up to twice the month on enterprise', async () => {
    const expected = { mid: [5_000n, 10_000n, 10_000n], enterprise: [25_000n, 50_000n, 75_000n, 75_000n] };
    for (const plan of ['mid', 'enterprise'] as const) {
      const ctx = await onPlan(plan);
      for (const [period, credits] of expected[plan].entries()) {
        if (period > 0) await ageSubscription(node, ctx, { periods: 1 });
        await planOf({ ctx, input: {} });
        expect(await balance(ctx), `${plan}, period ${period}`).toBe(credits * credit);
      }
    }
  });

  it('credits-1 keeps the day of the month that a subscription began on', async () => {
    const text = `select netra.period_start_of('2026-01-31 10:00Z', n) as start from generate_series(0, 3) n`;
    const starts = await node.owner<{ start: Date }>(text);
    expect(starts.map(({ start }) => start.toISOString().slice(0, 10))).toEqual([
      '2026-01-31',
      '2026-02-28',
      '2026-03-31',
      '2026-04-30',
    ]);
  });
});

describe('credits-2: deduction', () => {
  it('credits-2 writes each charge as one transfer with reason, agent and run', async () => {
    const ctx = await onPlan('early');
    const run_id = randomUUID();
    const fee = { amount_micro: 50n * credit, reason: 'fee', agent: 'data', run_id, key: 'run/1' };
    const { hold_id } = await placeHold({ ctx, input: fee });
    await captureHold({ ctx, input: { hold_id, amount_micro: 7n, reason: 'model gpt-4o', key: 'call/1' } });
    const settled = await settleHold({
      ctx,
      input: { hold_id, capture_micro: 20n * credit, reason: 'run', key: 'run/1' },
    });
    expect(settled).toEqual({
      held_micro: 50n * credit,
      spent_micro: 20n * credit + 7n,
      released_micro: 30n * credit - 7n,
      balance_micro: 980n * credit - 7n,
    });
    const { items, next } = await listTransfers({ ctx, input: {} });
    const charges = items.filter(({ spent_micro }) => spent_micro > 0n);
    expect(charges.map(({ spent_micro, reason, agent, run }) => ({ spent_micro, reason, agent, run }))).toEqual([
      { spent_micro: 20n * credit, reason: 'run', agent: 'data', run: run_id },
      { spent_micro: 7n, reason: 'model gpt-4o', agent: 'data', run: run_id },
    ]);
    expect(items.reduce((sum, { amount_micro }) => sum + amount_micro, 0n)).toBe(await balance(ctx));
    expect(next).toBeNull();
    const first = await listTransfers({ ctx, input: { limit: 3 } });
    const second = await listTransfers({ ctx, input: { limit: 3, cursor: first.next ?? '' } });
    expect([...first.items, ...second.items]).toEqual(items);
  });

  // Planted bug that turns it red: place_hold() without `available_micro - p_amount_micro >= floor_micro`.
  it('credits-2 refuses an oversize charge and changes nothing', async () => {
    const ctx = await onPlan('free');
    const before = await listTransfers({ ctx, input: {} });
    const refused = await refusal(
      placeHold({ ctx, input: { amount_micro: 100n * credit + 1n, reason: 'fee', key: 'big' } }),
    );
    expect(refused).toMatchObject({
      code: 'insufficient_credits',
      status: 402,
      detail: { needed_micro: '100000001', balance_micro: '100000000', plan_that_lifts_it: 'early' },
    });
    expect(await listTransfers({ ctx, input: {} })).toEqual(before);
    expect(await balance(ctx)).toBe(100n * credit);
    const rest = `select (select count(*) from netra.hold where org_id = $1) + (select count(*) from netra.hold_grant
      where org_id = $1) as rows, (select version from netra.wallet where org_id = $1) as version`;
    expect(await node.owner(rest, [ctx.principal.org_id])).toEqual([{ rows: '0', version: '1' }]);
  });

  // Planted bug that turns it red: no unique (org_id, kind, key) on netra.transfer.
  it('credits-2 charges once for the same key, also when twenty ask at once', async () => {
    const ctx = await onPlan('early');
    const input = { amount_micro: 10n * credit, reason: 'fee', agent: 'triage', key: 'same' };
    const placed = await Promise.all(Array.from({ length: 20 }, () => placeHold({ ctx, input })));
    expect(new Set(placed.map(({ hold_id }) => hold_id)).size).toBe(1);
    const hold_id = placed[0]?.hold_id ?? '';
    const settle = { hold_id, capture_micro: 4n * credit, reason: 'run', key: 'same' };
    const settled = await Promise.all(Array.from({ length: 20 }, () => settleHold({ ctx, input: settle })));
    for (const answer of settled) expect(answer).toEqual(settled[0]);
    expect(await balance(ctx)).toBe(996n * credit);
    expect((await listTransfers({ ctx, input: {} })).items).toHaveLength(3);
  });

  it('credits-2 refuses the same key with another body', async () => {
    const ctx = await onPlan('early');
    const input = { amount_micro: 10n * credit, reason: 'fee', agent: 'triage', key: 'k' };
    const { hold_id } = await placeHold({ ctx, input });
    for (const other of [
      { amount_micro: 11n * credit },
      { reason: 'other' },
      { agent: 'data' },
      { run_id: randomUUID() },
    ]) {
      const code = (await refusal(placeHold({ ctx, input: { ...input, ...other } }))).code;
      expect(code, JSON.stringify(Object.keys(other))).toBe('idempotency_key_reused');
    }
    await settleHold({ ctx, input: { hold_id, capture_micro: 1n, reason: 'run', key: 'k' } });
    const again = { hold_id, capture_micro: 2n, reason: 'run', key: 'k' };
    expect((await refusal(settleHold({ ctx, input: again }))).code).toBe('idempotency_key_reused');
    expect((await refusal(settleHold({ ctx, input: { ...again, key: 'another' } }))).code).toBe('conflict');
    expect(await balance(ctx)).toBe(1_000n * credit - 1n);
  });

  // Planted bug that turns it red: settle_hold() that takes least(p_capture_micro, what is held).
  it('credits-2 never drops what a run cost beyond its hold: it becomes a debt that the next credits pay', async () => {
    const ctx = await onPlan('free');
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: 10n * credit, reason: 'fee', key: 'h' } });
    const input = { hold_id, capture_micro: 130n * credit, reason: 'run', key: 'h' };
    expect(await settleHold({ ctx, input })).toMatchObject({ spent_micro: 130n * credit, balance_micro: 0n });
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 0n, debt_micro: 30n * credit });
    await grantCredits({
      ctx,
      input: { amount_micro: 50n * credit, source: 'purchase', reason: 'pack', key: 'pack' },
    });
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 20n * credit, debt_micro: 0n });
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });
});

describe('credits-3: enforcement', () => {
  const ask = (ctx: Ctx, agent = 'triage'): Promise<{ run: string }> =>
    admitRun({ ctx, input: { agent, input: { question: 'what for?' }, idempotency_key: randomUUID() } });

  async function nothingWritten(ctx: Ctx, call: () => Promise<unknown>): Promise<NetraError> {
    const count = `select (select count(*) from netra.run where org_id = $1) as runs,
      (select count(*) from netra.hold where org_id = $1) as holds,
      (select count(*) from netra.thread where org_id = $1) as threads`;
    const before = await node.owner(count, [ctx.principal.org_id]);
    const refused = await refusal(call());
    expect(await node.owner(count, [ctx.principal.org_id])).toEqual(before);
    return refused;
  }

  // Planted bug that turns each of these red: the limit's branch of netra.check_limits() taken out.
  it('credits-3 refuses an agent that the plan lacks, and names the plan that has it', async () => {
    const lifting = { data: 'early', optimization: 'mid' };
    const ctx = await onPlan('free');
    for (const [agent, plan] of Object.entries(lifting)) {
      const refused = await nothingWritten(ctx, () => ask(ctx, agent));
      expect(refused).toMatchObject({
        code: 'agent_not_in_plan',
        detail: { limit: 'agents', plan_that_lifts_it: plan },
      });
    }
    const { platform } = node;
    expect(await planThatLifts({ platform, limit: 'agents', name: 'research' })).toBe('enterprise');
    expect(await planThatLifts({ platform, limit: 'agents', name: 'unheard-of' })).toBeNull();
  });

  it('credits-3 refuses one run too many at once, and lets the next in when one has ended', async () => {
    const ctx = await onPlan('early');
    const admitted = await Promise.allSettled(Array.from({ length: 6 }, () => ask(ctx)));
    const runs = admitted.flatMap((each) => (each.status === 'fulfilled' ? [each.value.run] : []));
    expect(runs).toHaveLength(2);
    expect(await nothingWritten(ctx, () => ask(ctx))).toMatchObject({
      code: 'concurrent_runs',
      status: 429,
      detail: { limit: 'concurrent_runs', used: '2', max: '2', plan_that_lifts_it: 'mid' },
    });
    await requestCancel({ ctx, input: { run: runs[0] ?? '' } });
    expect(await ask(ctx)).toMatchObject({ run: expect.any(String) });
  });

  it('credits-3 refuses the run after the last of the month, until the next period', async () => {
    const ctx = await onPlan('free');
    for (let run = 0; run < 10; run += 1) await requestCancel({ ctx, input: { run: (await ask(ctx)).run } });
    expect(await nothingWritten(ctx, () => ask(ctx))).toMatchObject({
      code: 'plan_limit',
      detail: { limit: 'runs_month', used: '10', max: '10', plan_that_lifts_it: 'early' },
    });
    await ageSubscription(node, ctx, { periods: 1 });
    await node.owner(`update netra.run set created_at = created_at - interval '2 months' where org_id = $1`, [
      ctx.principal.org_id,
    ]);
    expect(await ask(ctx)).toMatchObject({ run: expect.any(String) });
  });

  it('credits-3 refuses a run that cannot be paid, and names what is missing', async () => {
    const ctx = await onPlan('free');
    await placeHold({ ctx, input: { amount_micro: 91n * credit, reason: 'other', key: 'other' } });
    const refused = await nothingWritten(ctx, () => ask(ctx));
    expect(refused).toMatchObject({
      code: 'insufficient_credits',
      detail: { limit: 'credits', needed_micro: '10000000', balance_micro: '9000000', plan_that_lifts_it: 'early' },
    });
  });

  it.each(planNames)('credits-3 gives a run of the %s plan its seconds, and no more', async (plan) => {
    const ctx = await onPlan(plan);
    const { run } = await ask(ctx);
    const text = 'select seconds_max from netra.run where org_id = $1 and run_id = $2';
    expect(await node.owner(text, [ctx.principal.org_id, run])).toEqual([{ seconds_max: plans[plan].seconds }]);
  });

  // Planted bug that turns it red: a key without the organisation, or `max` read from another plan.
  it('credits-3 counts requests of an hour, refuses the one too many, and follows an upgrade at once', async () => {
    const [ctx, neighbour] = [await onPlan('free'), await onPlan('free')];
    // Hours are those of the clock.
    const midHour = (): boolean => Date.now() % 3_600_000 < 3_580_000;
    await eventually('an hour that is not about to end', midHour, { deadline_ms: 21_000 });
    const answers = await Promise.allSettled(Array.from({ length: 130 }, () => checkRequestRate({ ctx })));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    const refused = await refusal(checkRequestRate({ ctx }));
    expect(refused).toMatchObject({
      code: 'rate_limited',
      status: 429,
      detail: { limit: 'requests_hour', used: '100', max: '100', plan_that_lifts_it: 'early' },
    });
    expect(Number(refused.detail['resets_in_ms'])).toBeGreaterThan(0);
    expect(await checkRequestRate({ ctx: neighbour })).toMatchObject({ max: 100, remaining: 99 });
    await changePlan({ ctx, input: { plan: 'early' } });
    expect(await checkRequestRate({ ctx })).toMatchObject({ max: 1000, remaining: 899 });
    await changePlan({ ctx, input: { plan: 'enterprise' } });
    expect(await checkRequestRate({ ctx })).toMatchObject({ max: null });
  });

  it('credits-3 refuses a feature that the plan lacks, and names the plan that has it', async () => {
    const ctx = await onPlan('free');
    const refused = await refusal(requireFeature({ ctx, input: { feature: 'ledger_export' } }));
    expect(refused).toMatchObject({
      code: 'plan_limit',
      status: 403,
      detail: { limit: 'features', plan_that_lifts_it: 'early' },
    });
    await requireFeature({ ctx, input: { feature: 'usage_import' } });
    await changePlan({ ctx, input: { plan: 'early' } });
    expect(await requireFeature({ ctx, input: { feature: 'ledger_export' } })).toBeUndefined();
  });
});
