import type { Ctx } from '../platform/index.ts';
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
  const { org_id, org_name } = member;
  await room.platform.postgres.inOrg(org_id, (tx) => tx.rows(insertOrg(org_id, org_name)));
  await subscribeOrg(room, member, trace_id);
  await rows(room.pool, markProvisioned(org_id));
}

/** Puts the organisation on `member.plan`, in the name of its owner. */
export async function subscribeOrg(room: AccountsRoom, member: Membership, trace_id: string): Promise<void> {
  const principal = { org_id: member.org_id, user_id: member.user_id, role: 'owner', kind: 'user' } as const;
  const ctx: Ctx = { platform: room.platform, trace_id, principal: { ...principal, expires_at_ms: null } };
  await room.subscribe({ ctx, input: { plan: member.plan } });
}
