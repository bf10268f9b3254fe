import { NetraError, type Session } from '@netra/contract';
import { checkPassword } from './check-password.ts';
import { limitAttempts } from './limit-attempts.ts';
import { openSession } from './open-session.ts';
import { parseInput } from '../platform/index.ts';
import { addressTaken, registerUser } from './register.ts';
import type { AccountsRoom, PublicCall } from './room.ts';
import { acceptInvitationInput } from './schemas.ts';
import { acceptInvitation as markAccepted, openInvitation, type OpenInvitation } from './sql/invitations.ts';
import { insertMember } from './sql/members.ts';
import { membershipsOf, type Membership } from './sql/memberships.ts';
import { inTransaction, rows } from './sql/rows.ts';

/**
 * Joins the organisation that invited this address, as a new user or with the password of the one there is. After a
 * crash, accepting again goes on; once joined, it is signing in that gives a session. Throws `not_found` for an invitation that
 * is not open for this address, `conflict` for a wrong password of an existing user, `rate_limited`.
 */
export async function acceptInvitation({ room, caller, input }: PublicCall): Promise<Session> {
  const { invitation, email, password, name = email } = parseInput(acceptInvitationInput, input);
  await limitAttempts(room, email, caller.address);
  const [open] = await rows<OpenInvitation>(room.pool, openInvitation(invitation, email));
  if (!open) throw notOpen();
  const registered = await registerUser(room, { email, password, name }, null);
  const user = registered ?? (await checkPassword(room, email, password));
  if (!user) throw addressTaken();
  const org_id = await join(room, invitation, email, user.user_id);
  const memberships = await rows<Membership>(room.pool, membershipsOf(user.user_id));
  const member = memberships.find((membership) => membership.org_id === org_id);
  if (!member) throw notOpen();
  return openSession(room, user.session, member, caller.trace_id);
}

async function join(room: AccountsRoom, invitation: string, email: string, user_id: string): Promise<string> {
  return inTransaction(room.pool, async (client) => {
    const [open] = await rows<OpenInvitation>(client, openInvitation(invitation, email));
    if (!open) throw notOpen();
    await rows(client, insertMember(room.platform.ids.uuid(), open.org_id, user_id, open.role));
    await rows(client, markAccepted(invitation));
    return open.org_id;
  });
}

function notOpen(): NetraError {
  return new NetraError('not_found', 'There is no open invitation of this id for this address');
}
