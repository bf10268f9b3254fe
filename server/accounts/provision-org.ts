import type { Ctx } from '../platform/platform.ts';
import type { AccountsRoom } from './room.ts';
import type { Membership } from './sql/memberships.ts';
import { insertOrg, markProvisioned } from './sql/orgs.ts';
import { rows } from './sql/rows.ts';

/**
 * Completes an organisation that so far exists in accounts only: its root row in schema netra and its subscription.
 * Every step is idempotent and the mark comes last, so whoever signs in next finishes what a crash left.
 */
export async function provisionOrg(room: AccountsRoom, member: Membership, trace_id: string): Promise<void> {
  if (member.provisioned) return;
  const { platform } = room;
  await platform.postgres.inOrg(member.org_id, (tx) => tx.rows(insertOrg(member.org_id, member.org_name)));
  const principal = { org_id: member.org_id, user_id: member.user_id, role: member.role } as const;
  const ctx: Ctx = { platform, trace_id, principal: { ...principal, kind: 'user', expires_at_ms: null } };
  await room.subscribe({ ctx, input: { plan: member.plan } });
  await rows(room.pool, markProvisioned(member.org_id));
}
