import { NetraError } from '@netra/contract';
import type { PoolClient } from 'pg';
import type { Role } from '../platform/index.ts';
import { refuseRoleChange } from './may-change-role.ts';
import type { TenantCall } from './room.ts';
import { lockOrganization, standing, type Standing } from './sql/members.ts';
import { inTransaction, rows } from './sql/rows.ts';

export interface MembershipChange {
  /** Whose membership changes. */
  readonly user_id: string;
  /** null = out of the organisation. */
  readonly to: Role | null;
  write(client: PoolClient): Promise<unknown>;
}

/**
 * Changes a membership under the organisation's lock, by the roles as they are now: the caller's token may be 15
 * minutes behind. Throws `forbidden`, `not_found`, or `conflict` for the last owner.
 */
export async function changeMembership(call: Omit<TenantCall, 'input'>, change: MembershipChange): Promise<void> {
  const { room, ctx } = call;
  const { org_id, user_id: actor_id, kind } = ctx.principal;
  if (kind !== 'user') throw new NetraError('forbidden', 'An API key cannot change who is a member');
  await inTransaction(room.pool, async (client) => {
    await rows(client, lockOrganization(org_id));
    const [now] = await rows<Standing>(client, standing(org_id, actor_id, change.user_id));
    if (!now?.actor) throw new NetraError('forbidden', 'You are not a member of this organisation');
    const self = actor_id === change.user_id;
    const refusal = refuseRoleChange({ actor: now.actor, self, from: now.subject, to: change.to, owners: now.owners });
    if (refusal === 'forbidden') throw new NetraError('forbidden', 'Your role does not allow this change');
    if (!now.subject) throw new NetraError('not_found', 'There is no such member');
    if (refusal === 'last_owner') throw new NetraError('conflict', 'The last owner must make another one first');
    await change.write(client);
  });
  await room.apiKeys.forget({ org_id, user_id: change.user_id });
}
