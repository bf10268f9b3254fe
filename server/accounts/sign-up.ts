import type { Session } from '@netra/contract';
import { checkPassword } from './check-password.ts';
import { limitAttempts } from './limit-attempts.ts';
import { openSession } from './open-session.ts';
import { parseInput } from '../platform/index.ts';
import { addressTaken, foundedBy, registerUser } from './register.ts';
import type { PublicCall } from './room.ts';
import { signUpInput } from './schemas.ts';

/**
 * Creates a user and the organisation they own, on the sign-up plan, and signs them in. Idempotent: the same again
 * (address, password, organisation) completes what a crash left and answers with a session. Throws `conflict` if the
 * address is taken, `rate_limited`.
 */
export async function signUp({ room, caller, input }: PublicCall): Promise<Session> {
  const { email, password, org, name = email } = parseInput(signUpInput, input);
  await limitAttempts(room, email, caller.address);
  const founding = { org, plan: room.signup_plan };
  const registered = await registerUser(room, { email, password, name }, founding);
  const user = registered ?? (await checkPassword(room, email, password));
  if (!user) throw addressTaken();
  const member = await foundedBy(room, user.user_id, founding);
  return openSession(room, user.session, member, caller.trace_id);
}
