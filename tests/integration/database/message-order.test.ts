/**
 * Segment: all who show a conversation that several people, or several runs, write to
 * Goal: a thread reads in the order in which things were said, and a cursor neither loses nor repeats a message
 * Value: a chat that pages or polls shows the same conversation as one that is opened anew
 * Strategic impact: history is what users look at when they ask whether they can trust us
 * Planted bug that turns it red: the trigger message_follows_thread dropped.
 */
import { randomUUID } from 'node:crypto';
import { eventually, suite, withOwner } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { admitRun, startDueRuns } from '../../../server/agents/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { createThread, giveApproval, openJournal, pageMessages, type Message } from '../../../server/runs/index.ts';
import { openAgents, type AgentsNode } from '../agents-node.ts';
import { admitHere } from '../run-node.ts';

const on = suite();
let nodes: readonly AgentsNode[];
/** Admits and works on nothing. */
let idle: AgentsNode;
beforeAll(async () => {
  idle = await openAgents(on);
  nodes = [await openAgents(on), await openAgents(on)];
  for (const { worker } of nodes) worker.start();
});

const say = (ctx: Ctx, thread: string, more: { readonly delay_ms?: number } = {}) =>
  admitRun({ ctx, input: { thread, agent: 'rehearsal', input: null, idempotency_key: randomUUID(), ...more } });
const newThread = async (ctx: Ctx): Promise<string> =>
  (await createThread({ ctx, input: { idempotency_key: randomUUID() } })).thread_id;

/** A client that looks again and again for what comes after the last message it has. */
async function readOn(ctx: Ctx, thread: string, seen: Message[], limit = 2): Promise<void> {
  for (;;) {
    const cursor = seen.at(-1)?.message_id;
    const page = await pageMessages({ ctx, input: { thread, order: 'asc', limit, ...(cursor ? { cursor } : {}) } });
    seen.push(...page.items);
    if (page.next === null) return;
  }
}
const all = async (ctx: Ctx, thread: string): Promise<readonly Message[]> => {
  const { items, next } = await pageMessages({ ctx, input: { thread, order: 'asc', limit: 200 } });
  expect(next).toBeNull();
  return items;
};
const told = (messages: readonly Message[], runs: readonly string[]): readonly string[] =>
  messages.map(({ author, run_id }) => `${author} ${runs.indexOf(run_id)}`);

test('questions that wait stand where they were asked, answers follow in the order of the questions, each once', async () => {
  const ctx = await idle.newOrg('mid');
  const claim = await admitHere(ctx);
  const { run_id: first, thread_id: thread } = claim;
  const journal = await openJournal({ platform: ctx.platform, claim });
  const call = { call_id: 'call', tool: 'wait', input: { step: 0, step_ms: 0 } };
  await journal.append([{ type: 'tool_executing', data: call }]);
  await journal.park([{ type: 'approval_requested', data: { ...call, reason: 'may it?' } }]);
  const runs = [first, (await say(ctx, thread)).run, (await say(ctx, thread)).run];
  const later = await say(ctx, thread, { delay_ms: 3_600_000 });
  const seen: Message[] = [];
  await readOn(ctx, thread, seen);
  expect(told(seen, runs)).toEqual(['user 0', 'user 1', 'user 2']);

  await giveApproval({ ctx, input: { run: first, call: 'call', approved: true } });
  await eventually('three answers', async () => {
    await readOn(ctx, thread, seen);
    return seen.length >= 6 ? true : null;
  });
  // What is to be said later is said when it is due.
  await withOwner(on.stores.postgres_url, (client) =>
    client.query(`update netra.run set ready_at = now() - interval '1 second' where run_id = $1`, [later.run]),
  );
  await startDueRuns({ platform: idle.platform, roleOf: () => Promise.resolve('member') });
  await idle.ended(ctx, later.run);
  await readOn(ctx, thread, seen);
  const order = ['user 0', 'user 1', 'user 2', 'agent 0', 'agent 1', 'agent 2', 'user 3', 'agent 3'];
  expect(told(seen, [...runs, later.run])).toEqual(order);
  expect(await all(ctx, thread)).toEqual(seen);
});

test('a question that waited for its admission while an answer was given comes after it, for a cursor too', async () => {
  const ctx = await idle.newOrg('mid');
  const thread = await newThread(ctx);
  const { run: first } = await say(ctx, thread);
  const seen: Message[] = [];
  const asked = await withOwner(on.stores.postgres_url, async (client) => {
    await client.query('begin');
    // What an admission of the organisation holds: the next one waits, a run's end does not.
    await client.query('select pg_advisory_xact_lock(1936, hashtext($1))', [ctx.principal.org_id]);
    const pending = say(ctx, thread);
    await eventually('the question to wait', async () => {
      const text = `select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%admit_run%'`;
      return (await client.query(text)).rowCount === 1 ? true : null;
    });
    await idle.ended(ctx, first);
    await readOn(ctx, thread, seen);
    await client.query('commit');
    return pending;
  });
  await idle.ended(ctx, asked.run);
  await readOn(ctx, thread, seen);
  expect(told(seen, [first, asked.run])).toEqual(['user 0', 'agent 0', 'user 1', 'agent 1']);
  expect(await all(ctx, thread)).toEqual(seen);
});

test('a reader that never rests sees each message once while two nodes ask and answer', async () => {
  const ctx = await idle.newOrg('enterprise');
  const thread = await newThread(ctx);
  const asking = Array.from({ length: 24 }, (_, place) =>
    say({ ...ctx, platform: nodes[place % 2]?.platform ?? ctx.platform }, thread),
  );
  const seen: Message[] = [];
  await eventually('every answer', async () => {
    await readOn(ctx, thread, seen, 5);
    return seen.filter(({ author }) => author === 'agent').length >= 24 ? true : null;
  });
  await Promise.all(asking);
  await readOn(ctx, thread, seen);
  expect(seen.map(({ message_id }) => message_id)).toEqual(
    (await all(ctx, thread)).map(({ message_id }) => message_id),
  );
  const asked = seen.filter(({ author }) => author === 'user').map(({ run_id }) => run_id);
  const answered = seen.filter(({ author }) => author === 'agent').map(({ run_id }) => run_id);
  expect(answered).toEqual(asked);
});
