import { changeMembership } from './change-membership.ts';
import { parseInput } from '../platform/index.ts';
import type { TenantCall } from './room.ts';
import { changeRoleInput } from './schemas.ts';
import { updateRole } from './sql/members.ts';
import { rows } from './sql/rows.ts';

/** Gives a member another role. Owners and admins; only owners touch owners. Tokens follow at their next refresh. */
export async function changeRole({ room, ctx, input }: TenantCall): Promise<void> {
  const { user: user_id, role } = parseInput(changeRoleInput, input);
  await changeMembership(
    { room, ctx },
    { user_id, to: role, write: (client) => rows(client, updateRole(ctx.principal.org_id, user_id, role)) },
  );
}
