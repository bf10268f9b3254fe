/**
 * Segment: everyone whose runs ask a person, or cost more than is left
 * Goal: a run that waits costs no worker and no place, goes on once when it may, and does not wait for ever
 * Value: nobody starts again from nothing because they were asleep, or because a card had expired
 * Strategic impact: long work with people in it is what agents are for
 *
 * Two real servers with leases of ten minutes: what reaches a run on the other one within the test came by a hint.
 */
import { randomUUID } from 'node:crypto';
import { createClient, type Client } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { createAccount, eventually, startServer, suite, withOwner, type TestAccount } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../../server/agents/index.ts';
import { checkBooks, grantCredits, placeHold, settleHold } from '../../../server/ledger/index.ts';
import { checkRunLog } from '../../../server/runs/index.ts';
import { giveUpParked, resumeFunded } from '../../../server/work/index.ts';
import { openAgents, type AgentsNode } from '../agents-node.ts';
import { holdJob } from '../hold-job.ts';
import { serveModel, type Endpoint } from '../openai-endpoint.ts';

const own = suite();
const credit = 1_000_000n;
let endpoint: Endpoint;
let env: Readonly<Record<string, string>>;
let urls: readonly string[];
/** A node without a worker, to do by hand what an operator or a job does. */
let operator: AgentsNode;

beforeAll(async () => {
  endpoint = await serveModel(openModel('planner', { model: null }));
  own.onEnd(() => endpoint.close());
  const model = { NETRA_MODEL_URL: endpoint.url, NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };
  env = { ...own.env, ...model, NETRA_LEASE_MS: '600000', NETRA_LOG_LEVEL: 'warn' };
  operator = await openAgents(own, model);
  urls = await Promise.all(
    [0, 1].map(async () => {
      const server = await startServer({ env });
      own.onEnd(() => server.kill());
      return server.url;
    }),
  );
}, 120_000);

interface Customer extends TestAccount {
  /** One client for each server. */
  readonly here: Client;
  readonly there: Client;
}

async function newCustomer(plan: 'free' | 'mid'): Promise<Customer> {
  const account = await createAccount({ env, plan });
  const [here, there] = urls.map((url) => createClient({ url, token: account.token }));
  if (here === undefined || there === undefined) throw new Error('two servers were started');
  own.onEnd(() => [here, there].forEach((client) => client.close()));
  return { ...account, here, there };
}

interface Watched {
  readonly run: string;
  approve(call: string, approved: boolean): Promise<void>;
  readonly events: EventFrame[];
  readonly last: Promise<EventFrame>;
}

async function watch(client: Client, ask: Parameters<Client['run']>[0]): Promise<Watched> {
  const handle = await client.run(ask);
  const events: EventFrame[] = [];
  const last = handle.finished((event) => events.push(event));
  // Where a test leaves it waiting, closing the client is what ends it.
  last.catch(() => undefined);
  return { run: handle.run, approve: (call, approved) => handle.approve(call, approved), events, last };
}

/** Started on one server and parked, since its first model call could take it past its cap. */
async function parkAtCap({ here, there }: Customer): Promise<Watched> {
  const watched = await watch(here, { agent: 'triage', input: null, max_credits_micro: `${10n * credit}` });
  await parked(there, watched.run);
  return watched;
}

function parked(client: Client, run: string): Promise<unknown> {
  return eventually('the run to park', async () => (await client.readRun(run)).state === 'parked');
}

async function rows<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> {
  return withOwner(own.stores.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows);
}

/** All but `left` of the plan's credits are gone. */
async function spendAllBut(left: bigint, { org, here }: Customer): Promise<void> {
  const ctx = operator.as(org);
  const amount_micro = BigInt((await here.credits()).balance_micro) - left;
  const words = { reason: 'spent before', key: 'before' };
  const { hold_id } = await placeHold({ ctx, input: { ...words, amount_micro, agent: null, run_id: null } });
  await settleHold({ ctx, input: { ...words, hold_id, capture_micro: amount_micro } });
}

function grant({ org }: Customer, amount_micro: bigint): Promise<unknown> {
  const input = { source: 'adjustment', amount_micro, reason: 'top-up', key: randomUUID() } as const;
  return grantCredits({ ctx: operator.as(org), input });
}

const only = (events: readonly EventFrame[], type: EventFrame['type']): readonly EventFrame[] =>
  events.filter((event) => event.type === type);

async function expectSound(): Promise<void> {
  const { platform } = operator;
  expect(await checkRunLog(platform)).toEqual([]);
  expect(await checkBooks({ platform })).toEqual([]);
}

describe('a run that is out of credits', () => {
  // Enough for the fee of 10, not for the most that the call may cost.
  const input = 'x'.repeat(8_000);

  // Planted bugs: can_pay := true (it wakes for nothing); a growHold that ends the run instead of asking.
  it('R2 M2: waits without a worker, and goes on by itself, once, when they come', async () => {
    const customer = await newCustomer('free');
    await spendAllBut(12n * credit, customer);
    const called = endpoint.calls.length;
    const { run, events, last } = await watch(customer.here, { agent: 'triage', input });
    await parked(customer.there, run);
    expect(endpoint.calls.length).toBe(called);
    expect(await rows('select lease_token, lease_until from netra.run where run_id = $1', [run])).toEqual([
      { lease_token: null, lease_until: null },
    ]);
    expect(await customer.here.credits()).toMatchObject({ held_micro: `${10n * credit}` });

    await grant(customer, credit);
    expect(await resumeFunded({ platform: operator.platform })).toBe(0);
    expect((await customer.there.readRun(run)).state).toBe('parked');

    await grant(customer, 50n * credit);
    // Beside the servers, which look by themselves.
    await Promise.all(Array.from({ length: 8 }, () => resumeFunded({ platform: operator.platform })));
    expect((await last).type).toBe('agent_completed');
    expect(only(events, 'approval_requested')).toMatchObject([{ data: { call_id: 'credits_1', tool: 'credits' } }]);
    expect(only(events, 'approval_given')).toMatchObject([{ data: { approved: true, by: 'credits' } }]);
    await expectSound();
  });

  // Planted bug: a Shortage that does not remember the answer (it asks again, for ever).
  it('ends where it is when somebody says that none will come', async () => {
    const customer = await newCustomer('free');
    await spendAllBut(12n * credit, customer);
    const { run, last } = await watch(customer.here, { agent: 'triage', input });
    await parked(customer.there, run);
    await customer.there.follow(run).approve('credits_1', false);
    expect(await last).toMatchObject({
      type: 'agent_failed',
      data: { code: 'insufficient_credits', credits: { spent_micro: '0' } },
    });
    await expectSound();
  });
});

describe('a run that waits for a person', () => {
  it('R2: is answered on another node, days later, and goes on with the time it had', async () => {
    const customer = await newCustomer('mid');
    const { run, events, last } = await parkAtCap(customer);
    const ago = `update netra.run set parked_at = parked_at - interval '5 days', deadline_at = deadline_at - interval '5 days'
      where run_id = $1`;
    await rows(ago, [run]);
    await customer.there.follow(run).approve('budget_1', true);
    expect((await last).type).toBe('agent_completed');
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place + 1));
    await expectSound();
  });

  // Planted bug: parked counted in netra.runs_at_once().
  it('credits-3: takes none of the places that the plan has for runs at once', async () => {
    const customer = await newCustomer('free');
    await parkAtCap(customer);
    const second = await watch(customer.here, { agent: 'triage', input: null });
    expect((await second.last).type).toBe('agent_completed');
  });

  // Planted bug: give_approval without the lock on the run.
  it.each([
    { answers: [true, true], refused: 0 },
    { answers: [true, false], refused: 1 },
  ])('takes one of two answers that come at once: $answers', async ({ answers, refused }) => {
    const customer = await newCustomer('mid');
    const { run, approve, events, last } = await parkAtCap(customer);
    const [first = true, second = true] = answers;
    const given = await Promise.allSettled([
      approve('budget_1', first),
      customer.there.follow(run).approve('budget_1', second),
    ]);
    expect(given.filter(({ status }) => status === 'rejected')).toHaveLength(refused);
    for (const each of given) if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'conflict' });
    await last;
    expect(only(events, 'approval_given')).toHaveLength(1);
    await expectSound();
  });

  // Planted bug: cancel_run that only notes the wish for a run that is parked.
  it('M2: is cancelled at once, and an answer then is a conflict', async () => {
    const customer = await newCustomer('mid');
    const { run, last } = await parkAtCap(customer);
    await customer.there.follow(run).cancel();
    expect(await last).toMatchObject({ type: 'agent_cancelled', data: { credits: { spent_micro: '0' } } });
    await expect(customer.here.follow(run).approve('budget_1', true)).rejects.toMatchObject({ code: 'conflict' });
    expect(await customer.here.credits()).toMatchObject({ held_micro: '0' });
    await expectSound();
  });

  // Planted bug, in both, since each looks at the time: unanswered_runs and give_up_parked that do not.
  it('M2: is given up after the time that the operator lets it, once, and what it held is released', async () => {
    const customer = await newCustomer('mid');
    const [old, young] = [await parkAtCap(customer), await parkAtCap(customer)];
    // A server's own schedule may be due now.
    await holdJob(rows, 'give_up_parked');
    await rows(`update netra.run set parked_at = parked_at - interval '8 days' where run_id = $1`, [old.run]);
    const { platform } = operator;
    const ended = await Promise.all([giveUpParked({ platform, limit: 100 }), giveUpParked({ platform, limit: 100 })]);
    expect(ended.toSorted()).toEqual([0, 1]);
    expect(await old.last).toMatchObject({ type: 'agent_failed', data: { code: 'approval_expired' } });
    expect((await customer.here.readRun(young.run)).state).toBe('parked');
    expect(await customer.here.credits()).toMatchObject({ held_micro: `${10n * credit}` });
    await expectSound();
  });
});

describe('a run on another node', () => {
  // Planted bug: requestCancel without its hint (the next renewal comes in 200 s).
  it('hears of its cancel by a hint, stops its tool and settles', async () => {
    const customer = await newCustomer('mid');
    const { run, events, last } = await watch(customer.here, {
      agent: 'rehearsal',
      input: { steps: 2, step_ms: 60_000, tool: 'wait' },
    });
    await eventually('the tool runs', () => only(events, 'tool_executing').length === 1);
    await customer.there.follow(run).cancel();
    expect(await last).toMatchObject({ type: 'agent_cancelled' });
    expect(await customer.here.credits()).toMatchObject({ held_micro: '0' });
    await expectSound();
  });
});
