import { NetraError, type Session } from '@netra/contract';
import { checkPassword } from './check-password.ts';
import { limitAttempts } from './limit-attempts.ts';
import { openSession } from './open-session.ts';
import { parseInput } from '../platform/index.ts';
import type { PublicCall } from './room.ts';
import { signInInput } from './schemas.ts';
import { deleteSession, membershipsOf, type Membership } from './sql/memberships.ts';
import { rows } from './sql/rows.ts';

/**
 * A session in `org`, or in the organisation joined first. Throws `unauthenticated` for a wrong password and for an
 * unknown address alike, `forbidden` for an organisation that is not the user's, `rate_limited`.
 */
export async function signIn({ room, caller, input }: PublicCall): Promise<Session> {
  const { email, password, org } = parseInput(signInInput, input);
  await limitAttempts(room, email, caller.address);
  const user = await checkPassword(room, email, password);
  if (!user) throw new NetraError('unauthenticated', 'The e-mail address or the password is not right');
  const memberships = await rows<Membership>(room.pool, membershipsOf(user.user_id));
  const member = org === undefined ? memberships[0] : memberships.find(({ org_id }) => org_id === org);
  if (!member) {
    await rows(room.pool, deleteSession(user.session));
    throw new NetraError('forbidden', 'You are not a member of this organisation');
  }
  return openSession(room, user.session, member, caller.trace_id);
}
