import { randomBytes } from 'node:crypto';
import { NetraError } from '@netra/contract';
import { issueToken } from './issue-token.ts';
import { parseInput } from './parse-input.ts';
import { provisionOrg } from './provision-org.ts';
import { foundedBy, registerUser, type Registration } from './register.ts';
import type { AccountsRoom } from './room.ts';
import { operatorUserInput } from './schemas.ts';
import { deleteSession } from './sql/memberships.ts';
import { rows } from './sql/rows.ts';
import { userByEmail } from './sql/users.ts';

/**
 * A user who owns an organisation on a plan, and a token for them: what the operator's command line asks for.
 * Idempotent by address: a user who owns an organisation of that name gets a new token. Without `password` the user
 * gets one that nobody knows. Throws `conflict` if they own another organisation.
 */
export async function createUserByOperator(call: {
  readonly room: AccountsRoom;
  readonly trace_id: string;
  readonly input: unknown;
}): Promise<{ readonly org: string; readonly user: string; readonly token: string }> {
  const { room, trace_id } = call;
  const { email, org, plan, ttl_s, name = email, password } = parseInput(operatorUserInput, call.input);
  const registration = { email, org, plan, name, password: password ?? randomBytes(24).toString('base64url') };
  const user_id = await userOf(room, registration);
  const member = await foundedBy(room, user_id, registration);
  await provisionOrg(room, member, trace_id);
  return { org: member.org_id, user: user_id, token: await issueToken(room, member, ttl_s) };
}

async function userOf(room: AccountsRoom, registration: Registration): Promise<string> {
  const registered = await registerUser(room, registration);
  if (registered) {
    // Nobody will ever hold this session's token.
    await rows(room.pool, deleteSession(registered.session));
    return registered.user_id;
  }
  const [user] = await rows<{ id: string }>(room.pool, userByEmail(registration.email));
  if (!user) throw new NetraError('internal', 'The user could not be created');
  return user.id;
}
