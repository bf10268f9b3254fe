import { subscribe } from '../server/plans/index.ts';
import type { Ctx, Platform } from '../server/platform/index.ts';

/** A new organisation on the enterprise plan, and its owner. */
export async function makeOrg(platform: Platform): Promise<Ctx> {
  const org_id = platform.ids.uuid();
  const insert = { text: 'insert into netra.org (org_id, name) values ($1, $2)', values: [org_id, 'bench'] };
  await platform.postgres.inOrg(org_id, (tx) => tx.rows(insert));
  const principal = { org_id, user_id: 'bench', role: 'owner', kind: 'user', expires_at_ms: null } as const;
  const ctx: Ctx = { platform, principal, trace_id: 'bench' };
  await subscribe({ ctx, input: { plan: 'enterprise' } });
  return ctx;
}
