/**
 * Segment: operators with more than one node
 * Goal: two nodes behind haproxy, with pgbouncer in transaction mode before PostgreSQL, are one Netra
 * Value: the balancer and the pooler that are there already carry it, without a setting that nobody told
 * Strategic impact: scale is bought by adding processes
 *
 * Real haproxy and pgbouncer, as Debian ships them.
 * Planted bugs that turn this red: send named statements to a pooler that does not know them.
 */
import { createClient } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { createAccount, runServerCommand, startServer, suite, type TestServer } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { openBalancer, openPooler, type Balancer, type Pooler } from './balancer.ts';
import { tokensOf } from './many-users.ts';
import { backoff, expectBooks, expectWhole, logOf, rehearsal } from './watched-runs.ts';

const own = suite();
let pooler: Pooler;
let env: Readonly<Record<string, string>>;
let nodes: readonly [TestServer, TestServer];
let front: Balancer;

beforeAll(async () => {
  pooler = await openPooler(own);
  env = {
    ...own.env,
    NETRA_POSTGRES_APP_URL: pooler.app_url,
    NETRA_POSTGRES_PREPARED: pooler.prepared ? 'on' : 'off',
    NETRA_DRAIN_NOTICE_MS: '2000',
  };
  nodes = await Promise.all([startServer({ env }), startServer({ env })]);
  for (const node of nodes) own.onEnd(() => node.stop());
  front = await openBalancer(own, nodes);
}, 120_000);

async function runOne(token: string): Promise<readonly EventFrame[]> {
  const client = createClient({ url: front.url, token, backoff });
  const handle = await client.run({ agent: 'rehearsal', input: rehearsal });
  const events: EventFrame[] = [];
  await handle.finished((event) => events.push(event));
  const { items } = await client.transfers({ limit: 100 });
  expect(items.length, 'its own movements and nobody else’s: a grant, and those of one run').toBeLessThan(8);
  client.close();
  return events;
}

test('T1 R1: 16 users through the balancer and the pooler: each run whole, each tenant alone, on few connections', async () => {
  const tokens = await tokensOf(own, 16);
  const logs = await Promise.all(tokens.map(runOne));
  for (const events of logs) expectWhole(events);
  const { transactions, servers } = await pooler.counts();
  console.log(`pgbouncer: ${transactions} transactions on ${servers} server connections`);
  // It all went through it, and on fewer connections than two nodes' pools have.
  expect(transactions).toBeGreaterThan(tokens.length * 3);
  expect(servers).toBeLessThanOrEqual(6);
  expect(Math.min(...(await front.sessions())), 'both nodes served').toBeGreaterThan(4);
  expect(await runServerCommand(['doctor'], own.env)).toMatchObject({ code: 0 });
}, 120_000);

test('SIGTERM to one node under load: the balancer turns to the other, no request fails, no run is lost', async () => {
  const { token } = await createAccount({ env: own.env, plan: 'enterprise' });
  const client = createClient({ url: front.url, token, backoff });
  const before_micro = BigInt((await client.credits()).balance_micro);
  const underWay = Promise.withResolvers<void>();
  let moving = 0;
  const runs = Array.from({ length: 6 }, async () => {
    const one = createClient({ url: front.url, token, backoff });
    const handle = await one.run({
      agent: 'rehearsal',
      input: { ...rehearsal, steps: 30, step_ms: 100, tool: 'wait' },
    });
    const events: EventFrame[] = [];
    const last = await handle.finished((event) => {
      events.push(event);
      if (event.seq === 6) moving += 1;
      if (moving === 6) underWay.resolve();
    });
    one.close();
    return { run: handle.run, events, last };
  });
  await underWay.promise;
  let over = false;
  const statuses = Array.from({ length: 4 }, async () => {
    const seen = new Set<string>();
    while (!over) {
      const answer = await fetch(`${front.url}/v1/credits`, { headers: { authorization: `Bearer ${token}` } });
      const body = await answer.text();
      seen.add(answer.ok ? 'ok' : `${answer.status} ${body}`);
    }
    return [...seen];
  });
  await nodes[0].stop();
  over = true;
  expect(await Promise.all(statuses)).toEqual([['ok'], ['ok'], ['ok'], ['ok']]);
  const followed = await Promise.all(runs);
  for (const { run, events } of followed) {
    expectWhole(events);
    expect(events).toEqual(await logOf(front.url, token, run));
  }
  await expectBooks(
    client,
    before_micro,
    followed.map(({ last }) => last),
  );
  client.close();
}, 120_000);
