/**
 * Segment: every customer, and teams that host it themselves.
 * Goal: a run costs no more than its caller allows, is quoted honestly, and a node may meter without blocking.
 * Value: nobody finds out from an invoice what one question has cost.
 * Strategic impact: a known price before and a hard bound after are what makes agents safe to hand out.
 */
import { randomUUID } from 'node:crypto';
import type { RunEvent } from '@netra/contract';
import { eventually, suite, withOwner } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { admitRun, openModel, quoteRun } from '../../../server/agents/index.ts';
import { checkBooks, placeHold, readBalance } from '../../../server/ledger/index.ts';
import { setSpending } from '../../../server/plans/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { checkRunLog, giveApproval, readRun } from '../../../server/runs/index.ts';
import { only, openAgents, type AgentsNode } from '../agents-node.ts';
import { serveModel, type Endpoint } from '../openai-endpoint.ts';

const on = suite();
const credit = 1_000_000n;
let endpoint: Endpoint;
let modelled: AgentsNode;
let second: AgentsNode;
let observing: AgentsNode;
let off: AgentsNode;
beforeAll(async () => {
  endpoint = await serveModel(openModel('planner', { model: null }));
  on.onEnd(() => endpoint.close());
  const model = { NETRA_MODEL_URL: endpoint.url, NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };
  modelled = await openAgents(on, model);
  second = await openAgents(on, model);
  observing = await openAgents(on, { ...model, NETRA_CREDITS: 'observe' });
  off = await openAgents(on, { ...model, NETRA_CREDITS: 'off' });
});

async function workingOn<T>({ worker }: AgentsNode, work: () => Promise<T>): Promise<T> {
  worker.start();
  try {
    return await work();
  } finally {
    await worker.stop();
  }
}

async function askCapped(ctx: Ctx, max_credits_micro: bigint): Promise<string> {
  const input = { agent: 'triage', input: null, idempotency_key: randomUUID() };
  return (await admitRun({ ctx, input: { ...input, max_credits_micro: `${max_credits_micro}` } })).run;
}

function parked(ctx: Ctx, run: string): Promise<true> {
  return eventually('a parked run', async () => (await readRun({ ctx, input: { run } })).state === 'parked' || null);
}

function failure(events: readonly RunEvent[]) {
  return only(events, 'agent_failed')[0]?.data;
}

async function expectSound(ctx: Ctx): Promise<void> {
  expect(await checkRunLog(ctx.platform)).toEqual([]);
  expect(await checkBooks({ platform: ctx.platform })).toEqual([]);
}

describe('a run with a cap of its own', () => {
  // Planted bug that turns both red: `within := true` in netra.grow_hold().
  it('parks before the call that could pass it, and goes on elsewhere when it is allowed more', async () => {
    const ctx = await modelled.newOrg('mid');
    const called = endpoint.calls.length;
    const run = await workingOn(modelled, async () => {
      const asked = await askCapped(ctx, 10n * credit);
      await parked(ctx, asked);
      return asked;
    });
    expect(endpoint.calls.length).toBe(called);
    const [request] = only(await modelled.log(ctx, run), 'approval_requested');
    expect(request?.data).toMatchObject({
      call_id: 'budget_1',
      tool: 'budget',
      input: { spent_micro: '0', held_micro: '10000000', max_credits_micro: '10000000', raise_micro: '10000000' },
    });
    await giveApproval({ ctx, input: { run, call: 'budget_1', approved: true } });
    const events = await workingOn(second, () => second.ended(ctx, run));
    const [end] = only(events, 'agent_completed');
    const spent = BigInt(end?.data.credits.spent_micro ?? 0);
    expect(spent > 10n * credit && spent <= 20n * credit).toBe(true);
    await expectSound(ctx);
  });

  it('ends where it is when it is allowed no more, and pays what was used', async () => {
    const ctx = await modelled.newOrg('mid');
    const events = await workingOn(modelled, async () => {
      const run = await askCapped(ctx, 10n * credit);
      await parked(ctx, run);
      await giveApproval({ ctx, input: { run, call: 'budget_1', approved: false } });
      return modelled.ended(ctx, run);
    });
    expect(failure(events)).toMatchObject({
      code: 'budget_reached',
      limit: { limit: 'max_credits', max: '10000000', plan_that_lifts_it: null },
      credits: { held_micro: '10000000', spent_micro: '0' },
    });
    await expectSound(ctx);
  });
});

describe('limits inside a run', () => {
  it('credits-3 ends a run that its organisation’s cap stops half-way, and names the cap', async () => {
    const ctx = await modelled.newOrg('mid');
    await setSpending({ ctx, input: { overage_micro: null, total_micro: 11n * credit, member_micro: null } });
    const called = endpoint.calls.length;
    const events = await workingOn(modelled, async () => modelled.ended(ctx, await modelled.ask(ctx, 'triage', null)));
    expect(failure(events)).toMatchObject({
      code: 'spending_cap',
      limit: { limit: 'spending_total', used: '10000000', max: '11000000', plan_that_lifts_it: null },
    });
    expect(endpoint.calls.length).toBe(called);
    await expectSound(ctx);
  });

  it('credits-3 stops a run at its plan’s seconds, and names the plan that gives more', async () => {
    await withOwner(on.stores.postgres_url, (client) =>
      client.query(
        `insert into netra.plan
         select (jsonb_populate_record(p, jsonb_build_object('valid_from', now(), 'seconds_run', 1))).*
           from netra.plan p where p.plan_id = 'free'`,
      ),
    );
    const ctx = await modelled.newOrg('free');
    const input = { steps: 50, step_ms: 300 };
    const events = await workingOn(modelled, async () => {
      return modelled.ended(ctx, await modelled.ask(ctx, 'rehearsal', input));
    });
    expect(failure(events)).toMatchObject({
      code: 'deadline_exceeded',
      limit: { limit: 'seconds_run', used: '1', max: '1', plan_that_lifts_it: 'early' },
    });
  });
});

describe('a quote', () => {
  it('tells the fee, the bound, and after a run what such a run costs', async () => {
    const ctx = await modelled.newOrg('mid');
    const input = { agent: 'triage' };
    const before = await quoteRun({ ctx, input });
    expect(before).toMatchObject({ fee_micro: 10n * credit, expected_micro: null, basis: { kind: 'no_history' } });
    expect(before).toMatchObject({ balance_after_micro: null, can_start: true });
    const events = await workingOn(modelled, async () => modelled.ended(ctx, await modelled.ask(ctx, 'triage', null)));
    const spent = BigInt(only(events, 'agent_completed')[0]?.data.credits.spent_micro ?? 0);
    const after = await quoteRun({ ctx, input });
    expect(after).toMatchObject({ expected_micro: spent, basis: { kind: 'history', runs: 1, percentile: 50 } });
    expect(after.balance_after_micro).toBe(after.balance_micro - spent);
    expect(spent < after.highest_micro).toBe(true);
    expect(await quoteRun({ ctx, input: { ...input, max_credits_micro: '12000000' } })).toMatchObject({
      highest_micro: 12n * credit,
      can_pay_highest: true,
    });
    await expect(quoteRun({ ctx, input: { ...input, max_credits_micro: '1' } })).rejects.toMatchObject({
      code: 'budget_reached',
    });
    await expect(quoteRun({ ctx, input: { agent: 'research' } })).rejects.toMatchObject({ code: 'agent_not_in_plan' });
  });

  it('of an agent without a model is its fee, and says whether the balance and the caps can pay it', async () => {
    const ctx = await modelled.newOrg('free');
    const input = { agent: 'rehearsal' };
    const fee = { expected_micro: credit, highest_micro: credit, basis: { kind: 'no_model_cost' } };
    expect(await quoteRun({ ctx, input })).toMatchObject({ ...fee, can_start: true, can_pay_highest: true });
    await setSpending({ ctx, input: { overage_micro: null, total_micro: 1n, member_micro: null } });
    expect(await quoteRun({ ctx, input })).toMatchObject({ ...fee, can_start: false });
  });
});

describe('NETRA_CREDITS', () => {
  // Planted bug that turns it red: place_hold() or extend_hold() that has caps enforced whatever `p_beyond` says.
  it('observe counts everything and refuses nothing for credits or caps', async () => {
    const ctx = await observing.newOrg('free');
    await placeHold({ ctx, input: { amount_micro: 100n * credit, reason: 'all of it', key: 'all' } });
    await setSpending({ ctx, input: { overage_micro: null, total_micro: 1n, member_micro: 1n } });
    const events = await workingOn(observing, async () => observing.ended(ctx, await askCapped(ctx, 1n)));
    const [end] = only(events, 'agent_completed');
    expect(BigInt(end?.data.credits.spent_micro ?? 0) > 10n * credit).toBe(true);
    const drawn = await withOwner(on.stores.postgres_url, (client) =>
      client.query<{ source: string; spent: string }>(
        `select source, spent_micro::text as spent from netra.credit_grant where org_id = $1 and source <> 'plan'`,
        [ctx.principal.org_id],
      ),
    );
    expect(drawn.rows).toEqual([{ source: 'observed', spent: end?.data.credits.spent_micro }]);
    await expectSound(ctx);
  });

  it('off holds and charges nothing, and plan limits hold all the same', async () => {
    const ctx = await off.newOrg('free');
    const events = await workingOn(off, async () => off.ended(ctx, await askCapped(ctx, 0n)));
    expect(only(events, 'credits_charged')).toEqual([]);
    expect(only(events, 'agent_completed')[0]?.data.credits).toMatchObject({ held_micro: '0', spent_micro: '0' });
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 100n * credit, held_micro: 0n });
    await expect(off.ask(ctx, 'data', null)).rejects.toMatchObject({ code: 'agent_not_in_plan' });
    expect(await quoteRun({ ctx, input: { agent: 'triage' } })).toMatchObject({ highest_micro: 0n, can_start: true });
    await expectSound(ctx);
  });
});
