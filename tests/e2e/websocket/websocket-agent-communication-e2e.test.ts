/**
 * Segment: every team that sells an agent
 * Goal: a user watches an agent work, live, and misses nothing
 * Value: each step arrives once and in order, also across lost connections and crashed servers, and only at its owner
 * Strategic impact: durable runs over one socket are what nobody has to build again
 *
 * Everything on three server processes that share PostgreSQL and Redis: who asks is on one node, who watches on
 * another, and the run is worked on by whichever has room.
 *
 * Planted bugs that turn this red: deliver before commit and kill (socket-3); subscribe again from 0 and push whatever
 * comes (socket-3, an event twice); leave the organisation out of tailRun (socket-2); end a run without completing its
 * tool (socket-1); settle a resumed run's hold again (socket-3, the books).
 */
import { createClient, type FinalFrame } from '@netra/client';
import type { ServerFrame } from '@netra/contract';
import {
  connectSocket,
  createAccount,
  eventually,
  startServer,
  suite,
  type TestAccount,
  type TestServer,
  type TestSocket,
  withOwner,
} from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { cuttingSocket, type Cut } from './cutting-socket.ts';
import { connectAll, echoFloor, report, tokensOf, type Waits } from './many-users.ts';
import { startNodes, type Nodes } from './three-nodes.ts';
import { backoff, expectBooks, expectSurvival, expectWhole, logOf, rehearsal, watch } from './watched-runs.ts';

const own = suite();
let nodes: Nodes;
let alice: TestAccount;
let bob: TestAccount;

beforeAll(async () => {
  nodes = await startNodes(own);
  const account = (): Promise<TestAccount> => createAccount({ env: own.env, plan: 'enterprise' });
  [alice, bob] = await Promise.all([account(), account()]);
}, 120_000);

/** Asks for a run on one raw socket and follows it on another; its id. */
async function runOn(asker: TestSocket, watcher: TestSocket, input: unknown = rehearsal): Promise<string> {
  const id = randomUUID();
  asker.send({ type: 'run', id, agent: 'rehearsal', input, idempotency_key: id });
  const { run } = (await asker.waitFor('accepted', (frame) => frame.type === 'accepted' && frame.id === id)) as {
    run: string;
  };
  watcher.send({ type: 'subscribe', id: `${id}-follow`, run, after: 0 });
  return run;
}

/** One socket of the user on each node. */
function onEachNode({ token }: TestAccount): Promise<TestSocket[]> {
  return Promise.all(nodes.map(({ ws }) => connectSocket({ ws, token })));
}

async function closeAll(sockets: readonly TestSocket[]): Promise<void> {
  await Promise.all(sockets.map((socket) => socket.close()));
}

describe('socket-1: a complete run', () => {
  test('socket-1: shows the five events, in order, agent_completed last, each with sequence, time and data', async () => {
    const sockets = await onEachNode(alice);
    const [asker, socket, other] = sockets as [TestSocket, TestSocket, TestSocket];
    const run = await runOn(asker, socket);
    other.send({ type: 'subscribe', id: 'other', run, after: 0 });
    await socket.waitForEnd(run);
    await other.waitForEnd(run);
    expect(other.events(run)).toEqual(socket.events(run));
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
    await closeAll(sockets);
  });

  test('socket-1: every tool_executing has its tool_completed, after it, with the same tool', async () => {
    const sockets = await onEachNode(alice);
    const [asker, , socket] = sockets as [TestSocket, TestSocket, TestSocket];
    const run = await runOn(asker, socket, { ...rehearsal, steps: 5 });
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
    await closeAll(sockets);
  });

  test('socket-1: many runs share one socket, each whole, whichever node works on it', async () => {
    const sockets = await onEachNode(bob);
    const [asker, watcher] = sockets as [TestSocket, TestSocket, TestSocket];
    const input = { ...rehearsal, step_ms: 100 };
    const runs = await Promise.all(Array.from({ length: 8 }, () => runOn(asker, watcher, input)));
    expect(new Set(runs).size).toBe(8);
    // The asked node has room for two: it is the others that work on the rest.
    await eventually('two nodes at least work on them', async () => (await nodesAtWork(bob)).length >= 2);
    await Promise.all(runs.map((run) => watcher.waitForEnd(run)));
    for (const run of runs) expectWhole(watcher.events(run));
    await closeAll(sockets);
  });
});

/** The nodes that hold a lease on a run of the user's organisation now. */
function nodesAtWork({ org }: TestAccount): Promise<readonly string[]> {
  const text = `select distinct lease_node from netra.run where org_id = $1 and state = 'running'`;
  return withOwner(own.stores.postgres_url, async (client) =>
    (await client.query<{ lease_node: string }>(text, [org])).rows.map(({ lease_node }) => lease_node),
  );
}

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
    // Bob asks where Alice watches, and the other way round: each node serves both.
    const askers = await Promise.all([alice, bob].map(({ token }, at) => connectSocket({ ws: nodeAt(at).ws, token })));
    const sockets = await Promise.all(
      [alice, bob].map(({ token }, at) => connectSocket({ ws: nodeAt(1 - at).ws, token })),
    );
    const runs = await Promise.all(
      sockets.map((socket, at) => Promise.all([1, 2].map(() => runOn(askers[at] ?? socket, socket)))),
    );
    await Promise.all(
      sockets.map((socket, index) => Promise.all((runs[index] ?? []).map((run) => socket.waitForEnd(run)))),
    );
    for (const [index, socket] of sockets.entries()) {
      const seen = new Set(socket.frames.flatMap((frame) => ('run' in frame ? [frame.run] : [])));
      expect([...seen].toSorted()).toEqual((runs[index] ?? []).toSorted());
    }
    await closeAll([...askers, ...sockets]);
  });

  test('socket-2: a guessed run id gives nothing: not to follow, not to stop, not to approve, not over REST', async () => {
    const mine = await connectSocket({ ws: nodes[1].ws, token: alice.token });
    // On the node that works on it, and has its events in memory.
    const theirs = await connectSocket({ ws: nodes[1].ws, token: bob.token });
    const run = await runOn(mine, mine, { ...rehearsal, steps: 6, step_ms: 60 });
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
        const answer = await fetch(`${nodes[2].url}${path}`, { headers: { authorization: `Bearer ${bob.token}` } });
        expect(answer.status).toBe(404);
        expect(await answer.text()).not.toContain(alice.org);
      }
    }
    expect((await mine.waitForEnd(run)).type).toBe('agent_completed');
    expect(theirs.events()).toEqual([]);
    await Promise.all([mine.close(), theirs.close()]);
  });
});

function nodeAt(index: number): TestServer {
  return index % 3 === 0 ? nodes[0] : index % 3 === 1 ? nodes[1] : nodes[2];
}

describe('socket-3: reconnect', () => {
  test('socket-3: cut at every event in turn, the client gets each event once, in order, and is charged once', async () => {
    const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
    const steady = createClient({ url: nodes[0].url, token });
    const before_micro = BigInt((await steady.credits()).balance_micro);
    const model = await watch(steady, rehearsal);
    const lasts = [model.last];
    expect(model.events.length).toBe(9);
    for (let seq = 1; seq <= model.events.length; seq += 1) {
      for (const when of ['lost', 'seen'] as const) {
        const cuts: Cut[] = [{ seq, when }];
        const client = createClient({ url: nodes[1].url, token, backoff, WebSocket: cuttingSocket(cuts, nodes) });
        const { run, events, last } = await watch(client, rehearsal);
        expect(cuts, `cut at ${seq}, ${when}`).toEqual([]);
        expectWhole(events);
        expect(events).toEqual(await logOf(nodes[2].url, token, run));
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
      url: nodes[1].url,
      token: alice.token,
      backoff,
      WebSocket: cuttingSocket(cuts, nodes),
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
    const client = createClient({ url: nodes[1].url, token });
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

  test('socket-3: the node that works on a run is killed: who watches on another node gets the rest, once', async () => {
    const victim = await startServer({ env: { ...own.env, NETRA_LEASE_MS: '1000' } });
    const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
    const [asker, watcher] = await Promise.all([victim.ws, nodes[2].ws].map((ws) => connectSocket({ ws, token })));
    if (!asker || !watcher) throw new Error('two sockets');
    const client = createClient({ url: nodes[2].url, token });
    const before_micro = BigInt((await client.credits()).balance_micro);
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => runOn(asker, watcher, { ...rehearsal, steps: 8, step_ms: 100 })),
    );
    await Promise.all(runs.map((run) => watcher.waitFor('an event', (frame) => 'seq' in frame && frame.run === run)));
    await victim.kill();
    await Promise.all(runs.map((run) => watcher.waitForEnd(run, 30_000)));
    for (const run of runs) expectWhole(watcher.events(run));
    const lasts = runs.map((run) => watcher.events(run).at(-1) as FinalFrame);
    await expectBooks(client, before_micro, lasts);
    client.close();
    await watcher.close();
  }, 60_000);

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

describe('socket-4: under load', () => {
  test('socket-4: 200 users at once, each asking one node and watching another: every run completes', async () => {
    const users = 200;
    const tokens = await tokensOf(own, users);
    const askers = await connectAll(tokens, (index) => nodeAt(index).ws);
    const watchers = await connectAll(tokens, (index) => nodeAt(index + 1).ws);
    const waits = await Promise.all(
      watchers.map(async ([watcher, connect_ms], index): Promise<Waits> => {
        const began = performance.now();
        const run = await runOn(askers[index]?.[0] ?? watcher, watcher);
        await watcher.waitFor('an event', (frame) => 'seq' in frame && 'data' in frame, 60_000);
        const first_ms = performance.now() - began;
        const last = await watcher.waitForEnd(run, 60_000);
        const whole_ms = performance.now() - began;
        expect(last.type).toBe('agent_completed');
        expectWhole(watcher.events());
        return { connect_ms, first_ms, whole_ms };
      }),
    );
    expect(waits.length).toBe(users);
    const frames = watchers[0]?.[0].events().length ?? 0;
    await closeAll([...askers, ...watchers].map(([socket]) => socket));
    console.log(report('3 nodes', waits));
    console.log(report(`bare ws echo of ${frames} frames`, await echoFloor(users, frames, 200)));
  }, 180_000);
});
