import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withOwner, type Suite } from '@netra/testkit';
import { loadConfig, openPlatform, type Ctx, type Platform, type Role } from '../../server/platform/index.ts';

/** What analytics' verbs stand on: the application's logins on the suite's real stores. */
export interface AnalyticsNode {
  readonly platform: Platform;
  /** An organisation that has a row. */
  makeOrg(): Promise<string>;
  ctxOf(org_id: string, role?: Role): Ctx;
}

/** Opens the stores as netra_app; closed with the suite. */
export async function openAnalytics(on: Suite): Promise<AnalyticsNode> {
  const data = await mkdtemp(join(tmpdir(), 'netra-analytics-'));
  const secret = 'only for tests: 32 bytes and then some more';
  const env = { ...on.env, NETRA_DATA: data, NETRA_SECRET: secret, NETRA_LOG_LEVEL: 'error' };
  const platform = await openPlatform({ config: loadConfig({ env }), urls: on.stores, role: 'app' });
  on.onEnd(async () => {
    await platform.close();
    await rm(data, { recursive: true, force: true });
  });
  return {
    platform,
    async makeOrg() {
      const org_id = randomUUID();
      await withOwner(on.stores.postgres_url, (client) =>
        client.query('insert into netra.org (org_id, name) values ($1, $2)', [org_id, 'analytics']),
      );
      return org_id;
    },
    ctxOf: (org_id, role = 'owner') => ({
      platform,
      trace_id: randomUUID(),
      principal: { org_id, user_id: randomUUID(), role, kind: 'user', expires_at_ms: null },
    }),
  };
}
