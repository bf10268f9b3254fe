/**
 * Segment: every team that sells an agent
 * Goal: a user watches an agent work, live, and misses nothing
 * Value: each step arrives once and in order, also across lost connections and crashed servers, and only at its owner
 * Strategic impact: durable runs over one socket are what nobody has to build again
 *
 * Planted bugs that turn this red: deliver before commit and kill (socket-3); subscribe again from 0 and push whatever
 * comes (socket-3, an event twice); leave the organisation out of tailRun (socket-2); end a run without completing its
 * tool (socket-1); settle a resumed run's hold again (socket-3, the books).
 */
import { createClient, type Client, type FinalFrame } from '@netra/client';
import { advanceLog, emptyLog, NetraError, serverFrame, type EventFrame, type ServerFrame } from '@netra/contract';
import {
  connectSocket,
  createAccount,
  startServer,
  suite,
  type TestAccount,
  type TestServer,
  type TestSocket,
} from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { cuttingSocket, type Cut } from './cutting-socket.ts';

const own = suite();
let server: TestServer;
let alice: TestAccount;
let bob: TestAccount;

beforeAll(async () => {
  server = await startServer({ env: own.env });
  own.onEnd(() => server.stop());
  alice = await createAccount({ env: own.env, plan: 'enterprise' });
  bob = await createAccount({ env: own.env, plan: 'enterprise' });
}, 120_000);

// One delta a step: several may be written as one event, and the number of events is then not the same each time.
const rehearsal = { steps: 3, deltas: 1, delta_bytes: 24, step_ms: 2, tool: 'hash' };

/** Asks for a run on a raw socket and follows it; its id. */
async function runOn(socket: TestSocket, input: unknown = rehearsal): Promise<string> {
  const id = randomUUID();
  socket.send({ type: 'run', id, agent: 'rehearsal', input, idempotency_key: id });
  const { run } = (await socket.waitFor('accepted', (frame) => frame.type === 'accepted' && frame.id === id)) as {
    run: string;
  };
  socket.send({ type: 'subscribe', id: `${id}-follow`, run, after: 0 });
  return run;
}

/** Holds for every run: dense from 1 (R1), by the grammar, each frame by the contract's schema. */
function expectWhole(events: readonly EventFrame[]): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  for (const event of events) serverFrame.parse(event);
  expect(events.reduce(advanceLog, emptyLog).ended).toBe(true);
}

describe('socket-1: a complete run', () => {
  test('socket-1: shows the five events, in order, agent_completed last, each with sequence, time and data', async () => {
    const socket = await connectSocket({ ws: server.ws, token: alice.token });
    const run = await runOn(socket);
    await socket.waitForEnd(run);
    await socket.waitFor('end', (frame) => frame.type === 'end' && frame.run === run);
    const events = socket.events(run);
    expectWhole(events);
    const firsts = [...new Set(events.map(({ type }) => type))].filter((type) => type !== 'agent_message');
    expect(firsts.filter((type) => type !== 'credits_charged')).toEqual([
      'agent_started',
      'agent_thinking',
      'tool_executing',
      'tool_completed',
      'agent_completed',
    ]);
    expect(events.at(-1)?.type).toBe('agent_completed');
    for (const { at, data } of events) {
      expect(new Date(at).toISOString()).toBe(at);
      expect(data).toBeTypeOf('object');
    }
    const times = events.map(({ at }) => at);
    expect(times).toEqual(times.toSorted());
    await socket.close();
  });

  test('socket-1: every tool_executing has its tool_completed, after it, with the same tool', async () => {
    const socket = await connectSocket({ ws: server.ws, token: alice.token });
    const run = await runOn(socket, { ...rehearsal, steps: 5 });
    await socket.waitForEnd(run);
    const calls = socket.events(run).filter((event) => event.type === 'tool_executing');
    expect(calls.length).toBe(4);
    for (const call of calls) {
      const done = socket
        .events(run)
        .filter((event) => event.type === 'tool_completed' && event.data.call_id === call.data.call_id);
      expect(done).toMatchObject([{ data: { tool: call.data.tool, ok: true } }]);
      expect(done[0]?.seq).toBeGreaterThan(call.seq);
    }
    await socket.close();
  });

  test('socket-1: many runs share one socket, each whole', async () => {
    const socket = await connectSocket({ ws: server.ws, token: bob.token });
    const runs = await Promise.all(Array.from({ length: 8 }, () => runOn(socket)));
    expect(new Set(runs).size).toBe(8);
    await Promise.all(runs.map((run) => socket.waitForEnd(run)));
    for (const run of runs) expectWhole(socket.events(run));
    await socket.close();
  });
});

describe('socket-2: isolation', () => {
  test('socket-2: the two users are really two: other tokens, other organisations, other ids', () => {
    const claims = (token: string): { sub: string; org: string } =>
      JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string; org: string };
    expect(alice.token).not.toBe(bob.token);
    expect(claims(alice.token)).toMatchObject({ sub: alice.user, org: alice.org });
    expect(claims(bob.token)).toMatchObject({ sub: bob.user, org: bob.org });
    expect(alice.org).not.toBe(bob.org);
    expect(alice.user).not.toBe(bob.user);
  });

  test('socket-2: both watch their runs at once, and neither gets a frame of the other', async () => {
    const sockets = await Promise.all([alice, bob].map(({ token }) => connectSocket({ ws: server.ws, token })));
    const runs = await Promise.all(sockets.map((socket) => Promise.all([runOn(socket), runOn(socket)])));
    await Promise.all(
      sockets.map((socket, index) => Promise.all((runs[index] ?? []).map((run) => socket.waitForEnd(run)))),
    );
    for (const [index, socket] of sockets.entries()) {
      const seen = new Set(socket.frames.flatMap((frame) => ('run' in frame ? [frame.run] : [])));
      expect([...seen].toSorted()).toEqual((runs[index] ?? []).toSorted());
      await socket.close();
    }
  });

  test('socket-2: a guessed run id gives nothing: not to follow, not to stop, not to approve, not over REST', async () => {
    const [mine, theirs] = await Promise.all([alice, bob].map(({ token }) => connectSocket({ ws: server.ws, token })));
    if (!mine || !theirs) throw new Error('two sockets');
    const run = await runOn(mine, { ...rehearsal, steps: 6, step_ms: 60 });
    await mine.waitFor('the first event', (frame) => 'data' in frame && frame.run === run);
    for (const guess of [run, randomUUID(), run.replace(/.$/, (last) => (last === '0' ? '1' : '0'))]) {
      theirs.send({ type: 'subscribe', id: `follow ${guess}`, run: guess, after: 0 });
      theirs.send({ type: 'cancel', id: `cancel ${guess}`, run: guess });
      theirs.send({ type: 'approve', id: `approve ${guess}`, run: guess, call: 'call', approved: true });
      for (const what of ['follow', 'cancel', 'approve']) {
        const isAnswer = (frame: ServerFrame): boolean => 'id' in frame && frame.id === `${what} ${guess}`;
        expect(await theirs.waitFor(`${what}`, isAnswer)).toMatchObject({ type: 'error', code: 'not_found' });
      }
      for (const path of [`/v1/runs/${guess}`, `/v1/runs/${guess}/events`]) {
        const answer = await fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${bob.token}` } });
        expect(answer.status).toBe(404);
        expect(await answer.text()).not.toContain(alice.org);
      }
    }
    expect((await mine.waitForEnd(run)).type).toBe('agent_completed');
    expect(theirs.events()).toEqual([]);
    await Promise.all([mine.close(), theirs.close()]);
  });
});

interface Watched {
  readonly run: string;
  readonly events: readonly EventFrame[];
  readonly last: FinalFrame;
}

async function watch(client: Client, input: unknown, idempotency_key: string = randomUUID()): Promise<Watched> {
  const handle = await client.run({ agent: 'rehearsal', input, idempotency_key });
  const events: EventFrame[] = [];
  const last = await handle.finished((event) => events.push(event));
  return { run: handle.run, events, last };
}

/** What is in the log now, read over a fresh connection. */
async function logOf(url: string, token: string, run: string): Promise<readonly EventFrame[]> {
  const client = createClient({ url, token });
  const events: EventFrame[] = [];
  await client.follow(run).finished((event) => events.push(event));
  client.close();
  return events;
}

/** The balance fell by exactly what the receipts say, and nothing is on hold. */
async function expectBooks(client: Client, before_micro: bigint, lasts: readonly FinalFrame[]): Promise<void> {
  const spent_micro = lasts.reduce((sum, { data }) => sum + BigInt(data.credits.spent_micro), 0n);
  const { balance_micro, held_micro } = await client.credits();
  expect({ held_micro, balance_micro }).toEqual({ held_micro: '0', balance_micro: String(before_micro - spent_micro) });
}

const backoff = { first_ms: 20, max_ms: 500 };

describe('socket-3: reconnect', () => {
  test('socket-3: cut at every event in turn, the client gets each event once, in order, and is charged once', async () => {
    const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
    const steady = createClient({ url: server.url, token });
    const before_micro = BigInt((await steady.credits()).balance_micro);
    const model = await watch(steady, rehearsal);
    const lasts = [model.last];
    expect(model.events.length).toBe(9);
    for (let seq = 1; seq <= model.events.length; seq += 1) {
      for (const when of ['lost', 'seen'] as const) {
        const cuts: Cut[] = [{ seq, when }];
        const client = createClient({ url: server.url, token, backoff, WebSocket: cuttingSocket(cuts) });
        const { run, events, last } = await watch(client, rehearsal);
        expect(cuts, `cut at ${seq}, ${when}`).toEqual([]);
        expectWhole(events);
        expect(events).toEqual(await logOf(server.url, token, run));
        lasts.push(last);
        client.close();
      }
    }
    await expectBooks(steady, before_micro, lasts);
    steady.close();
  }, 120_000);

  test('socket-3: one run whose connection is cut at each of its events arrives whole', async () => {
    const states: string[] = [];
    const cuts: Cut[] = Array.from({ length: 9 }, (_, index) => ({
      seq: index + 1,
      when: index % 2 ? 'lost' : 'seen',
    }));
    const client = createClient({
      url: server.url,
      token: alice.token,
      backoff,
      WebSocket: cuttingSocket(cuts),
      onState: (state) => states.push(state),
    });
    const { events } = await watch(client, { ...rehearsal, step_ms: 10 });
    expect(cuts).toEqual([]);
    expect(states.filter((state) => state === 'ready').length).toBe(10);
    expectWhole(events);
    client.close();
  });

  test('socket-3: the answer to `run` is lost: asking again by the same key is the same run, charged once', async () => {
    const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
    const client = createClient({ url: server.url, token });
    const before_micro = BigInt((await client.credits()).balance_micro);
    const key = randomUUID();
    const first = await watch(client, rehearsal, key);
    const again = await watch(client, rehearsal, key);
    expect(again).toEqual(first);
    const other = client.run({ agent: 'rehearsal', input: { ...rehearsal, steps: 4 }, idempotency_key: key });
    await expect(other).rejects.toMatchObject({ code: 'idempotency_key_reused' });
    await expectBooks(client, before_micro, [first.last]);
    client.close();
  });

  test('socket-3: the server is killed mid-run: after its restart each event came once, and nothing was charged twice', async () => {
    const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
    const env = { ...own.env, NETRA_LEASE_MS: '1000' };
    const victim = await startServer({ env });
    await expectSurvival({ victim, token, restart: (port) => startServer({ env, port }) });
  }, 120_000);

  test('socket-3: the same with embedded stores, orphaned by the kill and taken over with their data folder', async () => {
    const data = await mkdtemp(join(tmpdir(), 'netra-killed-'));
    const env = { NETRA_ENV: 'test', NETRA_REHEARSAL: 'on', NETRA_LEASE_MS: '1000' };
    const start = (port = 0): Promise<TestServer> => startServer({ env, data, port, deadline_ms: 90_000 });
    const victim = await start();
    const { token } = await createAccount({ env, plan: 'enterprise', data });
    try {
      await expectSurvival({ victim, token, restart: start });
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  }, 240_000);
});

interface Survival {
  readonly victim: TestServer;
  readonly token: string;
  restart(port: number): Promise<TestServer>;
}

/** Six runs on one socket; the server dies by SIGKILL when each is under way, and comes back at the same address. */
async function expectSurvival({ victim, token, restart }: Survival): Promise<void> {
  const client = createClient({ url: victim.url, token, backoff });
  let revived: TestServer | undefined;
  try {
    const before_micro = BigInt((await client.credits()).balance_micro);
    const underWay = Promise.withResolvers<void>();
    const waiting = new Set([0, 1, 2, 3, 4, 5]);
    const runs = [...waiting].map(async (index) => {
      const handle = await client.run({ agent: 'rehearsal', input: { ...rehearsal, steps: 8, step_ms: 100 } });
      const events: EventFrame[] = [];
      const last = await handle.finished((event) => {
        events.push(event);
        if (event.seq > 3 + index) waiting.delete(index);
        if (waiting.size === 0) underWay.resolve();
      });
      return { run: handle.run, events, last };
    });
    await Promise.race([underWay.promise, Promise.all(runs)]);
    await victim.kill();
    revived = await restart(Number(new URL(victim.url).port));
    const watched = await Promise.all(runs);
    for (const { run, events, last } of watched) {
      expectWhole(events);
      expect(last.type).toBe('agent_completed');
      expect(events).toEqual(await logOf(revived.url, token, run));
    }
    const attempts = await Promise.all(watched.map(({ run }) => client.readRun(run)));
    expect(Math.max(...attempts.map(({ attempt }) => attempt)), 'some run was resumed').toBeGreaterThan(1);
    await expectBooks(
      client,
      before_micro,
      watched.map(({ last }) => last),
    );
  } catch (error) {
    if (error instanceof NetraError)
      throw new Error(`${error.message}\n${(revived ?? victim).log()}`, { cause: error });
    throw error;
  } finally {
    client.close();
    await revived?.stop();
  }
}
