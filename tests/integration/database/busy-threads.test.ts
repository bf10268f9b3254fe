import { randomUUID } from 'node:crypto';
import type { IfBusy } from '@netra/contract';
import { eventually, suite, withOwner } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { admitRun } from '../../../server/agents/index.ts';
import { readBalance } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import {
  checkRunLog,
  createThread,
  giveApproval,
  listMessages,
  openJournal,
  readEvents,
  readRun,
  requestCancel,
  type RunState,
} from '../../../server/runs/index.ts';
import { openAgents, type AgentsNode } from '../agents-node.ts';
import { admitHere } from '../run-node.ts';

const on = suite();
let nodes: readonly AgentsNode[];
/** Admits and works on nothing: what is queued here stays so until another node claims it. */
let idle: AgentsNode;

beforeAll(async () => {
  idle = await openAgents(on);
  nodes = [await openAgents(on), await openAgents(on)];
  for (const { worker } of nodes) worker.start();
});

async function newThread(ctx: Ctx): Promise<string> {
  return (await createThread({ ctx, input: { idempotency_key: randomUUID() } })).thread_id;
}

async function say(ctx: Ctx, thread: string, input: unknown, if_busy?: IfBusy): Promise<string> {
  return (await admitRun({ ctx, input: { thread, agent: 'rehearsal', input, if_busy, idempotency_key: randomUUID() } }))
    .run;
}

/** A run that waits for a person, in a thread of its own: the answer, if it is yes, lets it end. */
async function park(ctx: Ctx): Promise<{ readonly run: string; readonly thread: string; approve(): Promise<unknown> }> {
  const claim = await admitHere(ctx);
  const journal = await openJournal({ platform: ctx.platform, claim });
  const call = { call_id: 'call', tool: 'wait', input: { step: 0, step_ms: 0 } };
  await journal.append([{ type: 'tool_executing', data: call }]);
  await journal.park([{ type: 'approval_requested', data: { ...call, reason: 'may it?' } }]);
  const { run_id: run, thread_id: thread } = claim;
  return { run, thread, approve: () => giveApproval({ ctx, input: { run, call: 'call', approved: true } }) };
}

const on_node = (ctx: Ctx, place: number): Ctx => ({ ...ctx, platform: nodes[place % 2]?.platform ?? ctx.platform });
const stateOf = async (ctx: Ctx, run: string): Promise<RunState> => (await readRun({ ctx, input: { run } })).state;
const reached = (ctx: Ctx, run: string, state: RunState) =>
  eventually(`run ${run} to be ${state}`, async () => ((await stateOf(ctx, run)) === state ? state : null));

// Planted bug that turns it red: the trigger run_lets_next dropped.
test('a run in a busy thread waits, holds no credits, and begins when the one before it has ended', async () => {
  const ctx = await idle.newOrg('early');
  const { run: first, thread, approve } = await park(ctx);
  const before = await readBalance({ ctx, input: {} });
  const second = await say(ctx, thread, null);
  expect(await stateOf(ctx, second)).toBe('waiting');
  expect(await readBalance({ ctx, input: {} })).toMatchObject({ held_micro: before.held_micro });
  const [started] = (await readEvents({ ctx, input: { run: second, after: 0, limit: 10 } })).events;
  expect(started).toMatchObject({ type: 'agent_started', data: { behind: first, held_micro: '0' } });
  await approve();
  await idle.ended(ctx, first);
  const ended = await idle.ended(ctx, second);
  expect(ended.at(-1)).toMatchObject({ type: 'agent_completed', data: { credits: { spent_micro: '1000000' } } });
});

// Planted bug that turns it red: let_next() that takes the youngest first.
test('what waits in a thread runs in the order in which it was asked for, whichever node it came through', async () => {
  const ctx = await idle.newOrg('mid');
  const { run: first, thread, approve } = await park(ctx);
  const runs: string[] = [];
  for (let place = 0; place < 8; place += 1) runs.push(await say(on_node(ctx, place), thread, null));
  await approve();
  await idle.ended(ctx, first);
  const logs = await Promise.all(runs.map((run) => idle.ended(ctx, run)));
  const ends = logs.map((log) => Date.parse(log.at(-1)?.at ?? ''));
  const begins = logs.map((log) => Date.parse(log[1]?.at ?? ''));
  for (const [place, begun_ms] of begins.slice(1).entries()) expect(begun_ms).toBeGreaterThanOrEqual(ends[place] ?? 0);
});

// Planted bug that turns it red: admit_run() and start_due_run() without the admission lock.
test('50 messages at once to one thread, on two nodes, run one after the other', async () => {
  const ctx = await idle.newOrg('enterprise');
  const thread = await newThread(ctx);
  const runs = await Promise.all(Array.from({ length: 50 }, (_, place) => say(on_node(ctx, place), thread, null)));
  const logs = await Promise.all(runs.map((run) => idle.ended(ctx, run)));
  expect(logs.filter((log) => log.at(-1)?.type === 'agent_completed')).toHaveLength(50);
  // One after the other: no run's second event is before the end of the run that began before it.
  const spans = logs.map((log) => [Date.parse(log[1]?.at ?? ''), Date.parse(log.at(-1)?.at ?? '')] as const);
  const ordered = spans.toSorted(([one], [other]) => one - other);
  for (const [place, [begun_ms]] of ordered.entries()) {
    if (place > 0) expect(begun_ms).toBeGreaterThanOrEqual(ordered[place - 1]?.[1] ?? 0);
  }
  const messages = await listMessages(
    ctx.platform,
    { org_id: ctx.principal.org_id, thread_id: thread },
    { limit: 200 },
  );
  expect(messages.filter(({ author }) => author === 'agent')).toHaveLength(50);
  expect(await checkRunLog(ctx.platform)).toEqual([]);
});

// Planted bug that turns it red: make_way() with one place more. (admit_run() without the admission lock does not: the
// row of the busy run keeps the count right as well.)
test('at most 100 runs wait in a thread, also when many come at once on two nodes: the rest are refused by name', async () => {
  const ctx = await idle.newOrg('enterprise');
  const { thread } = await park(ctx);
  await withOwner(on.stores.postgres_url, (client) =>
    client.query(
      `insert into netra.run (org_id, run_id, thread_id, user_id, role, agent, model, input, state, hold_id, fee_micro,
         idempotency_key, request_hash)
       select $1, gen_random_uuid(), $2, 'u', 'member', 'rehearsal', 'm', 'null', 'waiting', null, 0, 'k' || i, ''
       from generate_series(1, 95) i`,
      [ctx.principal.org_id, thread],
    ),
  );
  const asked = await Promise.allSettled(
    Array.from({ length: 12 }, (_, place) => say(on_node(ctx, place), thread, null)),
  );
  const refused = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  expect(refused).toHaveLength(7);
  const queue_full = {
    code: 'queue_full',
    status: 429,
    detail: { limit: 'waiting_thread', used: '100', max: '100', plan_that_lifts_it: null },
  };
  for (const each of refused) expect(each).toMatchObject(queue_full);
  await expect(say(ctx, thread, null)).rejects.toMatchObject(queue_full);
  // The bound is the thread's: another one has room.
  const elsewhere = await say(ctx, await newThread(ctx), null);
  expect((await idle.ended(ctx, elsewhere)).at(-1)).toMatchObject({ type: 'agent_completed' });
});

// Planted bug that turns it red: make_way() that takes reject for enqueue.
test('reject names the run that the thread is busy with, and changes nothing', async () => {
  const ctx = await idle.newOrg('early');
  const { run: first, thread } = await park(ctx);
  await expect(say(ctx, thread, null, 'reject')).rejects.toMatchObject({
    code: 'thread_busy',
    status: 409,
    detail: { run: first, thread, state: 'parked' },
  });
  await requestCancel({ ctx, input: { run: first } });
  const next = await say(ctx, thread, null, 'reject');
  expect((await idle.ended(ctx, next)).at(-1)).toMatchObject({ type: 'agent_completed' });
});

// Planted bug that turns it red: interrupt_thread() that leaves out what waits.
test('interrupt cancels what the thread is busy with and what waits there, and begins when they have ended', async () => {
  const ctx = await idle.newOrg('mid');
  const thread = await newThread(ctx);
  const first = await say(ctx, thread, { steps: 1, step_ms: 60_000 });
  await reached(ctx, first, 'running');
  const second = await say(ctx, thread, null);
  const third = await say(ctx, thread, null, 'interrupt');
  const [one, two, three] = await Promise.all([first, second, third].map((run) => idle.ended(ctx, run)));
  expect(one?.at(-1)).toMatchObject({ type: 'agent_cancelled', data: { by: ctx.principal.user_id } });
  expect(two?.at(-1)).toMatchObject({ type: 'agent_cancelled', data: { credits: { held_micro: '0' } } });
  expect(three?.at(-1)).toMatchObject({ type: 'agent_completed' });
  expect(Date.parse(three?.[1]?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(one?.at(-1)?.at ?? ''));
});

// Planted bug that turns it red: busy_run() without `for no key update`. The end has looked for who waits before this run
// was there, and the run has looked for who is busy before the end was: nobody would let it in.
test('a run that comes while the one before it ends is not forgotten between the two', async () => {
  const ctx = await idle.newOrg('early');
  const { run: first, thread } = await park(ctx);
  const { org_id, user_id } = ctx.principal;
  const came: { run?: Promise<string>; settled: boolean } = { settled: false };
  await ctx.platform.postgres.inOrg(org_id, async (tx) => {
    await tx.rows({ text: 'select netra.cancel_run($1, $2, $3)', values: [org_id, first, user_id] });
    came.run = say(on_node(ctx, 0), thread, null).finally(() => (came.settled = true));
    await eventually('the second run to wait for the end of the first, or not to', async () => {
      const [seen] = await withOwner(on.stores.postgres_url, async (client) => {
        const text = `select count(*)::int as waiting from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like '%admit_run%'`;
        return (await client.query<{ waiting: number }>(text)).rows;
      });
      return came.settled || seen?.waiting === 1 ? true : null;
    });
  });
  const run = (await came.run) ?? '';
  expect((await idle.ended(ctx, run)).at(-1)).toMatchObject({ type: 'agent_completed' });
});
