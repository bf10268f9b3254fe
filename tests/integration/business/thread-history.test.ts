/**
 * Segment: everyone who says more than one thing to an agent
 * Goal: a conversation is one: the model is told what was said before, the same at every attempt, within what is held
 * Value: nobody repeats themselves to an agent, and nobody pays for more of the past than fits
 * Strategic impact: without it each run is a stranger, whatever the thread shows
 */
import { randomUUID } from 'node:crypto';
import { eventually, suite } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { admitRun, openModel, type AdmitInput } from '../../../server/agents/index.ts';
import { checkBooks } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { checkRunLog, createThread, requestCancel, type Said } from '../../../server/runs/index.ts';
import { only, openAgents, type AgentsNode } from '../agents-node.ts';
import { serveModel, type Endpoint } from '../openai-endpoint.ts';

const on = suite();
let endpoint: Endpoint;
let node: AgentsNode;
let other: AgentsNode;
beforeAll(async () => {
  endpoint = await serveModel(openModel('planner', { model: null }));
  on.onEnd(() => endpoint.close());
  const settings = { NETRA_MODEL_URL: endpoint.url, NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };
  node = await openAgents(on, settings);
  other = await openAgents(on, settings);
  node.worker.start();
});

const newThread = async (ctx: Ctx, prelude: readonly Said[] = []): Promise<string> =>
  (await createThread({ ctx, input: { idempotency_key: randomUUID(), prelude } })).thread_id;

async function say(ctx: Ctx, thread: string, input: string, more: Partial<AdmitInput> = {}): Promise<string> {
  return (await admitRun({ ctx, input: { thread, agent: 'triage', input, idempotency_key: randomUUID(), ...more } }))
    .run;
}

type Message = Endpoint['calls'][number]['request']['messages'][number];

/** What the model was told in the first call about this question: who said what, up to the question itself. */
function toldWith(question: string): readonly string[] {
  const call = endpoint.calls.find(({ request }) => lastOf(request.messages)?.content === question);
  if (call === undefined) throw new Error(`the model was never asked ${question}`);
  return call.request.messages.slice(1, -1).map(({ role, content }) => `${role}: ${content ?? ''}`);
}
const lastOf = (messages: readonly Message[]): Message | undefined => messages.findLast(({ role }) => role === 'user');

/** What the endpoint's model says where nothing was imported. */
const answer = expect.stringMatching(/^assistant: .+/s) as unknown;

async function expectSound({ platform }: Ctx): Promise<void> {
  expect(await checkRunLog(platform)).toEqual([]);
  expect(await checkBooks({ platform })).toEqual([]);
}

// Planted bugs that turn it red: readTurns() oldest first; a Conversation that leaves its history out.
test('a run is told the earlier turns of its thread, in order; none that failed, of another thread, or of others', async () => {
  const ctx = await node.newOrg('mid');
  const stranger = await node.newOrg('mid');
  const thread = await newThread(ctx);
  await node.ended(stranger, await say(stranger, await newThread(stranger), 'a stranger asks'));
  await node.ended(ctx, await say(ctx, await newThread(ctx), 'in another thread'));
  await node.ended(ctx, await say(ctx, thread, 'the first'));
  endpoint.faults.push('status 401');
  expect((await node.ended(ctx, await say(ctx, thread, 'the failed'))).at(-1)?.type).toBe('agent_failed');
  await node.ended(ctx, await say(ctx, thread, 'the second'));
  await node.ended(ctx, await say(ctx, thread, 'the third'));

  expect(toldWith('the first')).toEqual([]);
  expect(toldWith('the second')).toEqual(['user: the first', answer]);
  expect(toldWith('the third')).toEqual(['user: the first', answer, 'user: the second', answer]);
  await expectSound(ctx);
});

test('runs that waited in a thread are told what was answered before their turn, in the order of their turns', async () => {
  const ctx = await node.newOrg('mid');
  const thread = await newThread(ctx);
  const asked = ['one at once', 'two at once', 'three at once', 'four at once'];
  const runs: string[] = [];
  for (const question of asked) runs.push(await say(ctx, thread, question));
  await Promise.all(runs.map((run) => node.ended(ctx, run)));
  for (const [place, question] of asked.entries()) {
    expect(toldWith(question)).toEqual(asked.slice(0, place).flatMap((earlier) => [`user: ${earlier}`, answer]));
  }
});

// Planted bug that turns it red: readHistory() only where the log is empty.
test('a worker that takes a run over tells its model the same', async () => {
  const ctx = await node.newOrg('mid');
  const thread = await newThread(ctx);
  await node.ended(ctx, await say(ctx, thread, 'before the crash'));
  endpoint.faults.push('silent half-way');
  const before = endpoint.calls.length;
  const run = await say(ctx, thread, 'through the crash');
  await eventually('half an answer in the log', async () => only(await node.log(ctx, run), 'agent_message').length > 0);
  await node.worker.stop();
  other.worker.start();
  try {
    expect((await other.ended(ctx, run)).at(-1)?.type).toBe('agent_completed');
  } finally {
    await other.worker.stop();
    node.worker.start();
  }
  const calls = endpoint.calls.slice(before).map(({ request }) => request.messages);
  expect(calls.length).toBeGreaterThanOrEqual(3);
  for (const messages of calls) expect(messages.slice(0, 4)).toEqual(calls[0]);
  await expectSound(ctx);
});

// Planted bug that turns it red: a history added to what is sent, and not to conversation.prompt().
test('what a model is told is in what is held for its call', async () => {
  const ctx = await node.newOrg('mid');
  // A cap of the fee alone: the run parks before its first call, and says what that needs.
  const needs = async (prelude: readonly Said[]): Promise<number> => {
    const thread = await newThread(ctx, prelude);
    const run = await say(ctx, thread, 'what would it cost?', { max_credits_micro: '10000000' });
    const asked = await eventually('the question', async () =>
      only(await node.log(ctx, run), 'approval_requested').at(0),
    );
    await requestCancel({ ctx, input: { run } });
    return Number((asked.data.input as { needed_micro: string }).needed_micro);
  };
  const alone = await needs([]);
  const told = await needs([
    { author: 'user', text: 'x'.repeat(8_000) },
    { author: 'agent', text: 'y'.repeat(8_000) },
  ]);
  // 16,000 bytes are at most 8,000 tokens, of $2.50 a million: two credits.
  expect(told - alone).toBeGreaterThan(1_900_000);
  expect(told - alone).toBeLessThan(2_300_000);
});

// Planted bug that turns it red: a turn that does not fit skipped, and the search for smaller ones gone on with.
test('of a long conversation the newest whole turns are told, as many as fit', async () => {
  const ctx = await node.newOrg('mid');
  const turn = (name: string, bytes: number): Said[] => [
    { author: 'user', text: `${name} ${'q'.repeat(bytes)}` },
    { author: 'agent', text: `${name} ${'a'.repeat(bytes)}` },
  ];
  // 32,000 tokens are told at most, two bytes each.
  const prelude = [...turn('small', 10), ...turn('big', 15_000), ...turn('middle', 12_000), ...turn('new', 6_000)];
  const thread = await newThread(ctx, prelude);
  await node.ended(ctx, await say(ctx, thread, 'of all that?'));
  const words = toldWith('of all that?').map((said) => said.split(' ').slice(0, 2).join(' '));
  expect(words).toEqual(['user: middle', 'assistant: middle', 'user: new', 'assistant: new']);
});
