import { randomUUID } from 'node:crypto';
import type { IfBusy } from '@netra/contract';
import { eventually, suite } from '@netra/testkit';
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

const stateOf = async (ctx: Ctx, run: string): Promise<RunState> => (await readRun({ ctx, input: { run } })).state;
const reached = (ctx: Ctx, run: string, state: RunState) =>
  eventually(`run ${run} to be ${state}`, async () => ((await stateOf(ctx, run)) === state ? state : null));

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

test('50 messages at once to one thread, on two nodes, run one after the other in the order of admission', async () => {
  const ctx = await idle.newOrg('enterprise');
  const thread = await newThread(ctx);
  const on_node = (place: number): Ctx => ({ ...ctx, platform: nodes[place % 2]?.platform ?? ctx.platform });
  const runs = await Promise.all(Array.from({ length: 50 }, (_, place) => say(on_node(place), thread, null)));
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
