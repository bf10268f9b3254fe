import { changeMembership } from './change-membership.ts';
import { parseInput } from '../platform/index.ts';
import type { TenantCall } from './room.ts';
import { memberInput } from './schemas.ts';
import { deleteMember } from './sql/members.ts';
import { rows } from './sql/rows.ts';

/** Ends a membership with its sessions and API keys; anybody may end their own, but for the last owner. */
export async function removeMember({ room, ctx, input }: TenantCall): Promise<void> {
  const { user: user_id } = parseInput(memberInput, input);
  await changeMembership(
    { room, ctx },
    { user_id, to: null, write: (client) => rows(client, deleteMember(ctx.principal.org_id, user_id)) },
  );
}
