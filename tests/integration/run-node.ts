import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withOwner, type Suite } from '@netra/testkit';
import { admitRun } from '../../server/agents/index.ts';
import { loadConfig, openPlatform, type Ctx, type OpenPlatform, type Role } from '../../server/platform/index.ts';
import { nodeOf, type Claim } from '../../server/runs/index.ts';

/** Nodes on the suite's database. Each is a platform of its own: nothing in memory is shared between them. */
export interface RunNodes {
  /** Another node, as another server process would be. `redis: false`: it gets no hints. */
  open(options?: { readonly redis?: boolean }): Promise<OpenPlatform>;
  ctxOf(platform: OpenPlatform, org_id: string, role?: Role): Ctx;
  /** As the owner of the schema: to look behind row-level security, or to set the stage. */
  owner<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export async function openRunNodes(on: Suite, env: Readonly<Record<string, string>> = {}): Promise<RunNodes> {
  const data = await mkdtemp(join(tmpdir(), 'netra-runs-'));
  on.onEnd(() => rm(data, { recursive: true, force: true }));
  const secret = 'only for tests: 32 bytes and then some more';
  const base = { ...on.env, NETRA_DATA: data, NETRA_SECRET: secret, NETRA_LOG_LEVEL: 'silent', ...env };
  return {
    async open({ redis = false } = {}) {
      const { redis_url, ...urls } = on.stores;
      const stores = redis ? { ...urls, redis_url } : urls;
      const platform = await openPlatform({ config: loadConfig({ env: base }), urls: stores, role: 'app' });
      on.onEnd(() => platform.close());
      return platform;
    },
    ctxOf: (platform, org_id, role = 'owner') => ({
      platform,
      trace_id: randomUUID(),
      principal: { org_id, user_id: randomUUID(), role, kind: 'user', expires_at_ms: null },
    }),
    owner: <Row extends object>(text: string, values: readonly unknown[] = []) =>
      withOwner(on.stores.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows),
  };
}

/** Admits a rehearsal run whose lease this node takes, and gives it to the test instead of a worker. */
export async function admitHere(ctx: Ctx, input: unknown = null): Promise<Claim> {
  const node = nodeOf(ctx.platform);
  let taken: Claim | undefined;
  const before = node.worker;
  node.worker = {
    reserve: () => ({ take: (claim) => (taken = claim), leave: () => undefined }),
    cancelRequested: () => undefined,
    followed: () => undefined,
    queued: () => undefined,
  };
  try {
    await admitRun({ ctx, input: { agent: 'rehearsal', input, idempotency_key: randomUUID() } });
    if (taken === undefined) throw new Error('the run was not admitted here');
    return taken;
  } finally {
    node.worker = before;
  }
}
