/**
 * Segment: operators, at three in the morning
 * Goal: a store that is gone costs time and says so; nothing that was promised is lost, and nothing wrong is answered
 * Value: an outage of minutes stays one of minutes
 * Strategic impact: one truth, PostgreSQL, and everything else may go
 *
 * Two server processes, each on a path of its own to PostgreSQL, both on one to Redis; the paths are cut.
 * Planted bugs that turn this red: wait for a hint and never look (Redis); end a stream whose log
 * cannot be read; take every node out of the balancer when the one database is gone.
 */
import { createClient, type Client } from '@netra/client';
import type { EventFrame, ServerFrame } from '@netra/contract';
import {
  connectSocket,
  createAccount,
  eventually,
  heavy,
  serveFaults,
  startServer,
  suite,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { openPath, type Path } from '../../chaos/fault-path.ts';
import { backoff, expectBooks, expectWhole, logOf, rehearsal } from './watched-runs.ts';

const own = suite();
const outage_ms = heavy().length === 'full' ? 30_000 : 4_000;
let redis: Path;
let postgres: readonly [Path, Path];
let nodes: readonly [TestServer, TestServer];
let account: TestAccount;

beforeAll(async () => {
  const faults = await serveFaults();
  own.onEnd(() => faults.close());
  const upstream = new URL(own.stores.postgres_url);
  const host = `${upstream.hostname}:${upstream.port || '5432'}`;
  redis = await openPath(faults, 'redis', new URL(own.stores.redis_url).host);
  postgres = [await openPath(faults, 'postgres 0', host), await openPath(faults, 'postgres 1', host)];
  const start = async (path: Path): Promise<TestServer> => {
    const url = new URL(own.stores.postgres_url);
    url.host = path.address;
    const env = {
      ...own.env,
      NETRA_POSTGRES_URL: url.toString(),
      NETRA_REDIS_URL: `redis://${redis.address}/`,
      NETRA_LEASE_MS: '2000',
      NETRA_LOG_LEVEL: 'error',
    };
    const node = await startServer({ env });
    own.onEnd(() => node.stop());
    return node;
  };
  nodes = await Promise.all([start(postgres[0]), start(postgres[1])]);
  account = await createAccount({ env: own.env, plan: 'enterprise' });
}, 120_000);

/** Waits until the node says so, in one word. */
async function expectStanding(node: TestServer, status: number, word: string): Promise<void> {
  await eventually(`${node.url} says ${status} ${word}`, async () => {
    const answer = await fetch(`${node.url}/readyz`);
    expect(`${answer.status} ${await answer.text()}`).toBe(`${status} ${word}`);
    return true;
  });
}

const bothSay = (status: number, word: string): Promise<unknown> =>
  Promise.all(nodes.map((node) => expectStanding(node, status, word)));

interface Followed {
  readonly run: string;
  readonly events: readonly EventFrame[];
  readonly last: Awaited<ReturnType<Awaited<ReturnType<Client['run']>>['finished']>>;
}

/** A run asked for on one node and followed on the other. */
async function follow(asker: Client, watcher: Client, input: object, seen: () => void): Promise<Followed> {
  const { run } = await asker.run({ agent: 'rehearsal', input });
  const events: EventFrame[] = [];
  const last = await watcher.follow(run).finished((event) => {
    events.push(event);
    seen();
  });
  return { run, events, last };
}

const clientOf = (node: TestServer): Client => createClient({ url: node.url, token: account.token, backoff });

test('Redis gone: every event still arrives on the other node, and both say that they are degraded', async () => {
  await bothSay(200, 'ready');
  await redis.cut();
  await bothSay(200, 'degraded');
  const [asker, watcher] = [clientOf(nodes[0]), clientOf(nodes[1])];
  for (const { events, last } of await Promise.all(
    [1, 2, 3, 4].map(() => follow(asker, watcher, { ...rehearsal, step_ms: 50 }, () => undefined)),
  )) {
    expectWhole(events);
    expect(last.type).toBe('agent_completed');
  }
  await redis.mend();
  await bothSay(200, 'ready');
  asker.close();
  watcher.close();
}, 60_000);

test('PostgreSQL gone for one node: that one says so and leaves the balancer, the other serves on', async () => {
  await bothSay(200, 'ready');
  await postgres[0].cut();
  await expectStanding(nodes[0], 503, 'not ready');
  await expectStanding(nodes[1], 200, 'ready');
  await postgres[0].mend();
  await bothSay(200, 'ready');
}, 60_000);

test(`PostgreSQL gone for everybody for ${outage_ms / 1000} s: clear errors, no wrong answer, no socket lost, and all runs go on`, async () => {
  await bothSay(200, 'ready');
  const [asker, watcher] = [clientOf(nodes[0]), clientOf(nodes[1])];
  const before_micro = BigInt((await asker.credits()).balance_micro);
  const raw = await connectSocket({ ws: nodes[1].ws, token: account.token });
  let seen = 0;
  const input = { ...rehearsal, steps: 40, step_ms: 100, tool: 'wait' };
  const runs = [1, 2, 3, 4].map(() => follow(asker, watcher, input, () => (seen += 1)));
  await eventually('all are under way', () => seen > 20);
  // The raw socket follows one as well: its stream is quiet while there is no log to read.
  const listed = await fetch(`${nodes[0].url}/v1/runs?state=running&limit=1`, {
    headers: { authorization: `Bearer ${account.token}` },
  });
  const { items } = (await listed.json()) as { items: { run: string }[] };
  raw.send({ type: 'subscribe', id: 'follow', run: items[0]?.run ?? '', after: 0 });
  await raw.waitFor('subscribed', (frame) => frame.type === 'subscribed');
  await Promise.all(postgres.map((path) => path.cut()));
  const until_ms = performance.now() + outage_ms;
  // Not one of them leaves: there is no better node to turn to.
  await bothSay(200, 'unavailable');
  while (performance.now() < until_ms) {
    for (const node of nodes) {
      const answer = await fetch(`${node.url}/v1/credits`, { headers: { authorization: `Bearer ${account.token}` } });
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await answer.json()).toMatchObject({ code: 'unavailable', retryable: true });
    }
    const ids = ['run', 'subscribe', 'cancel'].map((type) => `${type} ${randomUUID()}`);
    raw.send({ type: 'run', id: ids[0] ?? '', agent: 'rehearsal', input: rehearsal, idempotency_key: randomUUID() });
    raw.send({ type: 'subscribe', id: ids[1] ?? '', run: randomUUID(), after: 0 });
    raw.send({ type: 'cancel', id: ids[2] ?? '', run: randomUUID() });
    for (const id of ids) {
      const isAnswer = (frame: ServerFrame): boolean => 'id' in frame && frame.id === id;
      expect(await raw.waitFor(id, isAnswer)).toMatchObject({ type: 'error', code: 'unavailable' });
    }
    await sleep(200);
  }
  await Promise.all(postgres.map((path) => path.mend()));
  await bothSay(200, 'ready');
  const followed = await Promise.all(runs);
  for (const { run, events, last } of followed) {
    expectWhole(events);
    expect(last.type).toBe('agent_completed');
    expect(events).toEqual(await logOf(nodes[0].url, account.token, run));
  }
  // The socket of before the outage is still the same one.
  raw.send({ type: 'cancel', id: 'after', run: randomUUID() });
  const answer = await raw.waitFor('after', (frame) => 'id' in frame && frame.id === 'after');
  expect(answer).toMatchObject({ code: 'not_found' });
  await expectBooks(
    asker,
    before_micro,
    followed.map(({ last }) => last),
  );
  asker.close();
  watcher.close();
  await raw.close();
}, 180_000);
