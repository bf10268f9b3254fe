import { randomUUID } from 'node:crypto';
import { eventually, suite, withOwner } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { admitRun, startDueRuns, type AdmitInput } from '../../../server/agents/index.ts';
import { placeHold, readBalance } from '../../../server/ledger/index.ts';
import type { Ctx, Role } from '../../../server/platform/index.ts';
import {
  checkRunLog,
  createThread,
  listMessages,
  listRuns,
  readRun,
  requestCancel,
} from '../../../server/runs/index.ts';
import { openAgents, type AgentsNode } from '../agents-node.ts';

const on = suite();
let nodes: readonly AgentsNode[];
const owner = <Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> =>
  withOwner(on.stores.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows);

beforeAll(async () => {
  nodes = [await openAgents(on), await openAgents(on)];
  for (const { worker } of nodes) worker.start();
});

function node(): AgentsNode {
  const [first] = nodes;
  if (!first) throw new Error('no node');
  return first;
}

const ask = (ctx: Ctx, input: Partial<AdmitInput>) =>
  admitRun({ ctx, input: { agent: 'rehearsal', input: null, idempotency_key: randomUUID(), ...input } });
/** Both nodes look for what is due, at once. */
const look = (role: Role | null = 'member') =>
  Promise.all(nodes.map(({ platform }) => startDueRuns({ platform, roleOf: () => Promise.resolve(role) })));
const makeDue = (run: string) =>
  owner(`update netra.run set ready_at = now() - interval '1 second' where run_id = $1`, [run]);

// Planted bug that turns it red: start_due_run() without the run's state in its first query.
test('a delayed run holds and says nothing before its time, then begins once, however many nodes look', async () => {
  const ctx = await node().newOrg('early');
  const start_at = new Date(Date.now() + 90 * 24 * 3600_000).toISOString();
  const { run, thread } = await ask(ctx, { start_at });
  expect(await readRun({ ctx, input: { run } })).toMatchObject({ state: 'scheduled', start_at: new Date(start_at) });
  expect(await readBalance({ ctx, input: {} })).toMatchObject({ held_micro: 0n });
  const where = { org_id: ctx.principal.org_id, thread_id: thread };
  expect(await listMessages(ctx.platform, where, { limit: 10 })).toEqual([]);
  expect((await listRuns({ ctx, input: { state: 'scheduled' } })).items).toMatchObject([{ run_id: run }]);
  await look();
  expect(await readRun({ ctx, input: { run } })).toMatchObject({ state: 'scheduled' });

  await makeDue(run);
  await Promise.all([look(), look()]);
  const log = await node().ended(ctx, run);
  expect(log.filter(({ type }) => type === 'agent_started')).toHaveLength(1);
  expect(log.at(-1)).toMatchObject({ type: 'agent_completed', data: { credits: { spent_micro: '1000000' } } });
  const messages = await listMessages(ctx.platform, where, { limit: 10 });
  expect(messages.map(({ author }) => author)).toEqual(['user', 'agent']);
  expect(await checkRunLog(ctx.platform)).toEqual([]);
});

test('one that is cancelled never begins; one that cannot be paid when it is due says so and ends', async () => {
  const ctx = await node().newOrg('free');
  const { run } = await ask(ctx, { delay_ms: 3_600_000 });
  expect(await requestCancel({ ctx, input: { run } })).toEqual({ state: 'cancelled' });
  await makeDue(run);
  await look();
  expect((await node().ended(ctx, run)).at(-1)).toMatchObject({ type: 'agent_cancelled' });

  const poor = await ask(ctx, { delay_ms: 3_600_000 });
  const { balance_micro: amount_micro } = await readBalance({ ctx, input: {} });
  await placeHold({ ctx, input: { amount_micro, reason: 'elsewhere', key: randomUUID() } });
  await makeDue(poor.run);
  await look();
  const log = await node().ended(ctx, poor.run);
  expect(log.at(-1)).toMatchObject({ type: 'agent_failed', data: { code: 'insufficient_credits' } });
});

test('in a busy thread it does what it asked for; with every place of the plan taken it begins when one is free', async () => {
  const ctx = await node().newOrg('free');
  const { thread_id: thread } = await createThread({ ctx, input: { idempotency_key: randomUUID() } });
  const rejecting = await ask(ctx, { thread, delay_ms: 60_000, if_busy: 'reject' });
  const elsewhere = await ask(ctx, { delay_ms: 60_000 });
  const busy = await ask(ctx, { thread, input: { steps: 2, step_ms: 60_000 } });
  await Promise.all([makeDue(rejecting.run), makeDue(elsewhere.run)]);
  await look();
  expect((await node().ended(ctx, rejecting.run)).at(-1)).toMatchObject({
    type: 'agent_failed',
    data: { code: 'thread_busy', credits: { held_micro: '0', spent_micro: '0' } },
  });
  expect(await readRun({ ctx, input: { run: elsewhere.run } })).toMatchObject({ state: 'scheduled' });
  await requestCancel({ ctx, input: { run: busy.run } });
  await node().ended(ctx, busy.run);
  const end = await eventually('the other run to end', async () => {
    await makeDue(elsewhere.run);
    await look();
    const { state } = await readRun({ ctx, input: { run: elsewhere.run } });
    return state === 'completed' ? state : null;
  });
  expect(end).toBe('completed');
});

test('its user has left: it ends and says so; a time beyond a year, or two times, are refused', async () => {
  const ctx = await node().newOrg('early');
  const { run } = await ask(ctx, { delay_ms: 60_000 });
  await makeDue(run);
  await look(null);
  expect((await node().ended(ctx, run)).at(-1)).toMatchObject({ type: 'agent_failed', data: { code: 'forbidden' } });
  const far = new Date(Date.now() + 400 * 24 * 3600_000).toISOString();
  await expect(ask(ctx, { start_at: far })).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(ask(ctx, { start_at: far, delay_ms: 1 })).rejects.toMatchObject({ code: 'invalid_request' });
});

test('runs that wait hold nothing, count towards the month, and have their bound', async () => {
  const ctx = await node().newOrg('free');
  const waiting = Array.from({ length: 9 }, () => ask(ctx, { delay_ms: 3_600_000 }));
  await Promise.all(waiting);
  expect(await readBalance({ ctx, input: {} })).toMatchObject({ held_micro: 0n });
  // The free plan has ten runs a month, and these count.
  await ask(ctx, { delay_ms: 3_600_000 });
  await expect(ask(ctx, { delay_ms: 3_600_000 })).rejects.toMatchObject({ code: 'plan_limit' });
  const big = await node().newOrg('early');
  await owner(
    `insert into netra.run (org_id, run_id, thread_id, user_id, role, agent, model, input, state, hold_id, fee_micro,
       idempotency_key, request_hash, created_at)
     select $1, gen_random_uuid(), gen_random_uuid(), 'u', 'member', 'rehearsal', 'm', 'null', 'waiting', null, 0,
       'k' || i, '', now() - interval '40 days' from generate_series(1, 200) i`,
    [big.principal.org_id],
  );
  await expect(ask(big, { delay_ms: 3_600_000 })).rejects.toMatchObject({
    code: 'queue_full',
    detail: { limit: 'waiting_org', used: '200', max: '200', plan_that_lifts_it: 'mid' },
  });
});
