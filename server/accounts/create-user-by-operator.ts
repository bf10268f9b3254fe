import { randomBytes } from 'node:crypto';
import { NetraError } from '@netra/contract';
import { issueToken } from './issue-token.ts';
import { parseInput } from '../platform/index.ts';
import { provisionOrg, subscribeOrg } from './provision-org.ts';
import { foundedBy, registerUser, type Founding, type NewUser } from './register.ts';
import type { AccountsRoom } from './room.ts';
import { operatorUserInput } from './schemas.ts';
import { deleteSession } from './sql/memberships.ts';
import { rows } from './sql/rows.ts';
import { userByEmail } from './sql/users.ts';

/**
 * A user who owns an organisation on a plan, and a token for them: what the operator's command line asks for.
 * Idempotent by address: a user who owns an organisation of that name gets a new token. Without `password` the user
 * gets one that nobody knows. An organisation that is there moves to the plan. Throws `conflict` if they own another organisation.
 */
export async function createUserByOperator(call: {
  readonly room: AccountsRoom;
  readonly trace_id: string;
  readonly input: unknown;
}): Promise<{ readonly org: string; readonly user: string; readonly token: string }> {
  const { room, trace_id } = call;
  const { email, org, plan, ttl_s, name = email, password } = parseInput(operatorUserInput, call.input);
  const user = { email, name, password: password ?? randomBytes(24).toString('base64url') };
  const user_id = await userOf(room, user, { org, plan });
  const member = await foundedBy(room, user_id, { org, plan });
  if (member.provisioned) await subscribeOrg(room, { ...member, plan }, trace_id);
  else await provisionOrg(room, member, trace_id);
  return { org: member.org_id, user: user_id, token: await issueToken(room, member, ttl_s) };
}

async function userOf(room: AccountsRoom, newUser: NewUser, founding: Founding): Promise<string> {
  const registered = await registerUser(room, newUser, founding);
  if (registered) {
    // Nobody will ever hold this session's token.
    await rows(room.pool, deleteSession(registered.session));
    return registered.user_id;
  }
  const [user] = await rows<{ id: string }>(room.pool, userByEmail(newUser.email));
  if (!user) throw new NetraError('internal', 'The user could not be created');
  return user.id;
}
