import { randomUUID } from 'node:crypto';
import { NetraError } from '@netra/contract';
import { refuseRoleChange } from './may-change-role.ts';
import { parseInput } from '../platform/index.ts';
import type { TenantCall } from './room.ts';
import { inviteInput } from './schemas.ts';
import { upsertInvitation } from './sql/invitations.ts';
import { standing, type Standing } from './sql/members.ts';
import { rows } from './sql/rows.ts';

const invitationTtl_s = 7 * 24 * 3600;

export interface Invitation {
  /** The secret half of the invitation: with it and the address, anybody joins. Shown once; send it to the invited. */
  readonly invitation: string;
  readonly expires_at: Date;
}

/**
 * Invites an address. Netra sends no mail: the caller passes the invitation on. Inviting the same address again
 * replaces the invitation. Owners and admins.
 */
export async function inviteMember({ room, ctx, input }: TenantCall): Promise<Invitation> {
  const { email, role } = parseInput(inviteInput, input);
  const { org_id, user_id: inviter_id, kind } = ctx.principal;
  const [now] = await rows<Standing>(room.pool, standing(org_id, inviter_id, inviter_id));
  const change = { self: false, from: null, to: role, owners: now?.owners ?? 0 };
  if (kind !== 'user' || !now?.actor || refuseRoleChange({ ...change, actor: now.actor })) {
    throw new NetraError('forbidden', 'Your role does not allow inviting members');
  }
  // Random, not by time: unlike our other ids, this one is a secret (122 bits).
  const id = randomUUID();
  const statement = upsertInvitation({ id, org_id, email, role, inviter_id, ttl_s: invitationTtl_s });
  const [row] = await rows<{ expires_at: Date }>(room.pool, statement);
  if (!row) throw new NetraError('internal', 'The invitation was not written');
  return { invitation: id, expires_at: row.expires_at };
}
