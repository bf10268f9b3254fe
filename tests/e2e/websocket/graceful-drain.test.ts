/**
 * Segment: operators who deploy at noon
 * Goal: a node that is told to go loses no event and no credit, and its runs go on elsewhere at once
 * Value: nobody notices a deployment, so there is no night for one
 * Strategic impact: servers without state can be replaced at any time
 *
 * Two server processes; the one that serves everything gets SIGTERM under load.
 * Planted bugs that turn this red: wait for whole runs instead of leaving them between two steps; send no `drain`.
 */
import { createClient, type Client } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { connectSocket, createAccount, eventually, startServer, suite, type TestServer } from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { cuttingSocket } from './cutting-socket.ts';
import { backoff, expectBooks, expectWhole, logOf } from './watched-runs.ts';

const own = suite();
let stays: TestServer;

beforeAll(async () => {
  stays = await startServer({ env: own.env });
  own.onEnd(() => stays.stop());
}, 120_000);

const env = (more: Readonly<Record<string, string>>): Record<string, string> => ({ ...own.env, ...more });

interface Followed {
  readonly run: string;
  readonly events: readonly EventFrame[];
  readonly last: Awaited<ReturnType<Awaited<ReturnType<Client['run']>>['finished']>>;
}

test('SIGTERM under load: every run goes on at once on the other node, every socket comes back', async () => {
  const leaves = await startServer({ env: env({ NETRA_DRAIN_NOTICE_MS: '500', NETRA_DRAIN_MS: '60000' }) });
  const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
  const clients = Array.from({ length: 6 }, () =>
    createClient({ url: leaves.url, token, backoff, WebSocket: cuttingSocket([], [leaves, stays]) }),
  );
  const steady = createClient({ url: stays.url, token });
  const before_micro = BigInt((await steady.credits()).balance_micro);
  let moving = 0;
  const input = { steps: 40, deltas: 1, delta_bytes: 24, step_ms: 100, tool: 'wait' };
  const runs = clients.map(async (client): Promise<Followed> => {
    const handle = await client.run({ agent: 'rehearsal', input });
    const events: EventFrame[] = [];
    const last = await handle.finished((event) => {
      events.push(event);
      if (event.seq === 8) moving += 1;
    });
    return { run: handle.run, events, last };
  });
  await eventually('all are under way', () => moving === clients.length);
  const signalled_ms = Date.now();
  const gone = leaves.stop();
  await eventually('/readyz says so first', async () => {
    const answer = await fetch(`${leaves.url}/readyz`);
    return answer.status === 503 && (await answer.text()) === 'not ready';
  });
  await gone;
  const gone_ms = Date.now();
  const followed = await Promise.all(runs);
  for (const { run, events, last } of followed) {
    expectWhole(events);
    expect(last.type).toBe('agent_completed');
    expect(Date.parse(last.at), 'it was ended by the node that stayed').toBeGreaterThan(gone_ms);
    expect(events).toEqual(await logOf(stays.url, token, run));
    // Handed over between two steps: none was begun twice.
    expect(events.filter(({ type }) => type === 'tool_executing').length).toBe(39);
    expect(events.filter(({ data }) => 'restarts' in data)).toEqual([]);
  }
  const pauses = followed.map(({ events }) => longestPause(events));
  console.log(`hand-over: the longest pause of each run ${pauses.toSorted((a, b) => a - b).join(', ')} ms`);
  console.log(`drained in ${Date.now() - signalled_ms} ms with all runs`);
  await expectBooks(
    steady,
    before_micro,
    followed.map(({ last }) => last),
  );
  for (const client of [...clients, steady]) client.close();
}, 120_000);

function longestPause(events: readonly EventFrame[]): number {
  const times = events.map(({ at }) => Date.parse(at));
  return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}

test('the sockets of a node that goes are asked to come back spread over time, the more the longer', async () => {
  const leaves = await startServer({ env: env({ NETRA_DRAIN_MS: '2000' }) });
  const { token } = await createAccount({ env: own.env, plan: 'free' });
  const sockets = await Promise.all(Array.from({ length: 50 }, () => connectSocket({ ws: leaves.ws, token })));
  const gone = leaves.stop();
  for (const socket of sockets) {
    const drain = await socket.waitFor('drain', ({ type }) => type === 'drain');
    expect(drain).toEqual({ type: 'drain', after_ms: 0, jitter_ms: 50 });
    // Who does not listen is closed, and told why.
    expect((await socket.closed).code).toBe(4010);
  }
  await gone;
}, 60_000);

test('a drain has a deadline: what is in the middle of a long step by then is broken off and done again elsewhere', async () => {
  const leaves = await startServer({ env: env({ NETRA_DRAIN_MS: '300' }) });
  const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
  const client = createClient({ url: leaves.url, token, backoff, WebSocket: cuttingSocket([], [leaves, stays]) });
  const handle = await client.run({
    agent: 'rehearsal',
    input: { steps: 2, deltas: 1, delta_bytes: 24, step_ms: 3_000, tool: 'wait' },
  });
  const events: EventFrame[] = [];
  const started = Promise.withResolvers<void>();
  const last = handle.finished((event) => {
    events.push(event);
    if (event.type === 'tool_executing') started.resolve();
  });
  await started.promise;
  await leaves.stop();
  // It went while the tool had seconds to go.
  expect(events.some(({ type }) => type === 'tool_completed')).toBe(false);
  expect((await last).type).toBe('agent_completed');
  expectWhole(events);
  client.close();
}, 60_000);

test('a second SIGTERM ends a node at once; its runs are taken over when their leases are out', async () => {
  const leaves = await startServer({ env: env({ NETRA_LEASE_MS: '1000', NETRA_DRAIN_MS: '60000' }) });
  const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
  const [asker, watcher] = await Promise.all([leaves.ws, stays.ws].map((ws) => connectSocket({ ws, token })));
  if (!asker || !watcher) throw new Error('two sockets');
  const id = randomUUID();
  const input = { steps: 2, deltas: 1, delta_bytes: 24, step_ms: 4_000, tool: 'wait' };
  asker.send({ type: 'run', id, agent: 'rehearsal', input, idempotency_key: id });
  const accepted = await asker.waitFor('accepted', ({ type }) => type === 'accepted');
  const run = 'run' in accepted ? accepted.run : '';
  watcher.send({ type: 'subscribe', id, run, after: 0 });
  await watcher.waitFor('the tool', ({ type }) => type === 'tool_executing');
  process.kill(leaves.pid, 'SIGTERM');
  await asker.waitFor('drain', ({ type }) => type === 'drain');
  await leaves.stop();
  expect(leaves.log()).toContain('second signal');
  expect((await watcher.waitForEnd(run, 30_000)).type).toBe('agent_completed');
  expectWhole(watcher.events(run));
  await watcher.close();
}, 60_000);
