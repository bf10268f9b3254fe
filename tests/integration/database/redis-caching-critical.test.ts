/**
 * Segment: every plan; what a node remembers stands between a change and its effect.
 * Goal: no copy is older than its stated bound, a write ends it at once on every node, and Redis may go at any time.
 * Value: a revoked key stops, an upgrade works at the next request, and no outage of a cache lifts a limit.
 * Strategic impact: a cache that lies is a security hole and a free plan without limits.
 */
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { eventually, openRedisClient, openRedisServer, suite, type RedisServer } from '@netra/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccounts, type Accounts } from '../../../server/accounts/index.ts';
import { changePlan, checkRequestRate, subscribe } from '../../../server/plans/index.ts';
import {
  cacheBounds_ms,
  deriveLoginUrl,
  loadConfig,
  loginRoles,
  openInProcessRedis,
  openPlatform,
  openPostgres,
  setLogin,
  systemClock,
  type Ctx,
  type Platform,
} from '../../../server/platform/index.ts';

const on = suite();
const secret = 'only for tests: 32 bytes and then some more';

interface Node {
  readonly platform: Platform;
  readonly accounts: Accounts;
  ctx(org_id: string): Ctx;
}

/** A node on the suite's stores; null = the engine inside the process. */
async function openNode(redis_url: string | null): Promise<Node> {
  for (const role of loginRoles) await setLogin(on.stores.postgres_url, role);
  const config = loadConfig({ env: { ...on.env, NETRA_SECRET: secret, NETRA_LOG_LEVEL: 'fatal' } });
  const opened = await openPlatform({
    config,
    urls: { ...on.stores, redis_url: redis_url ?? on.stores.redis_url },
    role: 'app',
  });
  const platform = redis_url === null ? { ...opened, redis: openInProcessRedis({ clock: systemClock }) } : opened;
  const auth = openPostgres(deriveLoginUrl(on.stores.postgres_url, 'netra_auth'), { pool_size: 3, log: platform.log });
  on.onEnd(async () => void (await Promise.all([auth.close(), opened.close()])));
  const limits = { per_address: 10_000, per_email: 10_000 };
  const options = { platform, auth_pool: auth.pool, secret, public_url: 'http://127.0.0.1:4100', origins: [], limits };
  const accounts = createAccounts({ ...options, signup_plan: 'free', subscribe });
  const principal = { user_id: randomUUID(), role: 'owner', kind: 'user', expires_at_ms: null } as const;
  return {
    platform,
    accounts,
    ctx: (org_id) => ({ platform, trace_id: randomUUID(), principal: { org_id, ...principal } }),
  };
}

/** Somebody with an organisation on the free plan (100 requests an hour), and an API key of theirs. */
async function newOwner({ platform, accounts }: Node) {
  const input = { email: `user-${randomUUID()}@example.com`, org: 'Org', plan: 'free' };
  const { token } = await accounts.createUserByOperator({ trace_id: randomUUID(), input });
  const principal = await accounts.authenticate(platform, token);
  const ctx: Ctx = { platform, trace_id: randomUUID(), principal };
  const made = await accounts.createApiKey({ ctx, input: { name: 'ci', role: 'member' } });
  const works = ({ accounts: there, platform: on_node }: Node): Promise<boolean> =>
    there.authenticate(on_node, made.secret).then(
      () => true,
      (error: unknown) => (error as { code?: string }).code !== 'unauthenticated',
    );
  return {
    ctx,
    org_id: principal.org_id,
    works,
    revoke: () => accounts.revokeApiKey({ ctx, input: { key: made.key } }),
  };
}

const maxOf = async (node: Node, org_id: string) => (await checkRequestRate({ ctx: node.ctx(org_id) })).max;
/** How many of `requests` are let through. */
async function pass(node: Node, org_id: string, requests: number): Promise<number> {
  const asked = Array.from({ length: requests }, () => checkRequestRate({ ctx: node.ctx(org_id) }));
  return (await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled').length;
}

it('redis-1 each bound is stated once, and the docs state the same', () => {
  const docs = readFileSync(new URL('../../../docs/nodes.md', import.meta.url), 'utf8');
  const [, section = ''] = docs.split('## What a node answers from memory');
  const rows = [...section.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, ms]) => [name, Number(ms)]);
  expect(Object.fromEntries(rows)).toEqual(cacheBounds_ms);
});

describe('redis-1: two nodes on one Redis', () => {
  let server: RedisServer;
  let [a, b] = [] as unknown as [Node, Node];
  beforeAll(async () => {
    server = await openRedisServer();
    [a, b] = [await openNode(server.redis_url), await openNode(server.redis_url)];
  });
  afterAll(() => server.close());

  // Planted bug that turns it red: forget() of the API keys that publishes nothing.
  it('redis-1 a revoked key stops on the other node long before the bound', async () => {
    const owner = await newOwner(a);
    expect(await owner.works(b)).toBe(true);
    const began_ms = Date.now();
    await owner.revoke();
    expect(await owner.works(a)).toBe(false);
    await eventually('the other node has heard', async () => !(await owner.works(b)), { deadline_ms: 2_000 });
    expect(Date.now() - began_ms).toBeLessThan(cacheBounds_ms.api_key - 2_000);
  });

  // Planted bug that turns it red: the quota set, not added, after a read that began before the change.
  it('redis-1 a change of plan counts at the next request of any node, also beside reads that were on their way', async () => {
    const { ctx, org_id } = await newOwner(a);
    expect([await maxOf(a, org_id), await maxOf(b, org_id)]).toEqual([100, 100]);
    await b.platform.redis.delete(`netra:{${org_id}}:request_quota`);
    // Has read the old quota from PostgreSQL, and gets on once the plan has changed.
    const { promise: changed, resolve } = Promise.withResolvers<void>();
    const { postgres } = b.platform;
    const call: typeof postgres.call = async (statement) => {
      const rows = await postgres.call(statement);
      await changed;
      return rows as never;
    };
    const slow = {
      ...b,
      ctx: (org: string) => ({ ...b.ctx(org), platform: { ...b.platform, postgres: { ...postgres, call } } }),
    };
    const late = maxOf(slow, org_id);
    await changePlan({ ctx, input: { plan: 'early' } });
    resolve();
    expect(await late).toBe(100);
    expect([await maxOf(b, org_id), await maxOf(a, org_id)]).toEqual([1_000, 1_000]);
  });

  it('redis-1 a node that hears nothing is behind by the bound at most', async () => {
    const [owner, deaf] = [await newOwner(a), await openNode('redis://127.0.0.1:1')];
    expect(await owner.works(deaf)).toBe(true);
    await owner.revoke();
    const began_ms = Date.now();
    const deadline_ms = cacheBounds_ms.api_key + 1_000;
    await eventually('it has looked again', async () => !(await owner.works(deaf)), { deadline_ms });
    expect(Date.now() - began_ms).toBeLessThan(deadline_ms);
    const { ctx, org_id } = await newOwner(a);
    await changePlan({ ctx, input: { plan: 'early' } });
    expect(await maxOf(deaf, org_id)).toBe(1_000);
  }, 20_000);
});

/** What happens to a Redis in use. `engine` null: nothing can. */
const fates: readonly (readonly [
  string,
  ((server: RedisServer, client: ReturnType<typeof openRedisClient>) => Promise<unknown>) | null,
])[] = [
  ['flushed', (_server, client) => client.flushall()],
  ['killed', async ({ pid }) => process.kill(pid, 'SIGKILL')],
  [
    'full',
    async (_server, client) => {
      await client.config('SET', 'maxmemory-policy', 'noeviction');
      await client.config('SET', 'maxmemory', '1');
      await expect(client.set('one', 'more')).rejects.toThrow('OOM');
    },
  ],
  ['the engine inside the process', null],
];

describe.each(fates)('redis-2: %s', (_name, strike) => {
  // Planted bug that turns it red: no count of the node's own beside Redis's.
  it('redis-2 the same answers as before, no limit lifted, nothing lost', async () => {
    const server = strike === null ? null : await openRedisServer();
    const client = server && openRedisClient(server.redis_url);
    try {
      const node = await openNode(server?.redis_url ?? null);
      const owner = await newOwner(node);
      const { ctx, org_id } = owner;
      expect(await pass(node, org_id, 60)).toBe(60);
      if (strike !== null && server && client) await strike(server, client);
      expect(await owner.works(node)).toBe(true);
      expect(await maxOf(node, org_id)).toBe(100);
      expect(await pass(node, org_id, 60)).toBe(39);
      await expect(checkRequestRate({ ctx })).rejects.toMatchObject({ code: 'rate_limited' });
      await changePlan({ ctx, input: { plan: 'early' } });
      expect(await maxOf(node, org_id)).toBe(1_000);
      await owner.revoke();
      expect(await owner.works(node)).toBe(false);
    } finally {
      client?.disconnect();
      await server?.close();
    }
  }, 30_000);
});

// Planted bug that turns it red: a key without the organisation in it, as `netra:quota`.
it('redis-2 what is done for one organisation touches no key of another, and its keys carry its own id', async () => {
  const server = await openRedisServer();
  on.onEnd(() => server.close());
  const node = await openNode(server.redis_url);
  const [ours, theirs] = [await newOwner(node), await newOwner(node)];
  await pass(node, theirs.org_id, 3);
  const client = openRedisClient(server.redis_url);
  const monitor = await client.monitor();
  const touched: string[][] = [];
  monitor.on('monitor', (_time: string, said: string[]) => touched.push(said));
  await pass(node, ours.org_id, 3);
  await changePlan({ ctx: ours.ctx, input: { plan: 'early' } });
  await maxOf(node, ours.org_id);
  await ours.works(node);
  await ours.revoke();
  await eventually('all was seen', () => touched.some(([command]) => command === 'publish'));
  monitor.disconnect();
  client.disconnect();
  const keys = touched.flatMap((said) => said.filter((word) => word.startsWith('netra:') && word !== 'netra:api_keys'));
  expect(keys.length).toBeGreaterThan(6);
  expect(keys.filter((key) => !key.startsWith(`netra:{${ours.org_id}}:`))).toEqual([]);
  expect(JSON.stringify(touched)).not.toContain(theirs.org_id);
});
