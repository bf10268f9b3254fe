import { isAPIError } from 'better-auth/api';
import type { Registered } from './register.ts';
import { mapPostgresError } from '../platform/index.ts';
import type { AccountsRoom } from './room.ts';

/**
 * Opens a session for the right password; null for a wrong one or an unknown address, after the same work (better-auth
 * hashes the password in either case), so that the time does not tell which it was.
 */
export async function checkPassword(room: AccountsRoom, email: string, password: string): Promise<Registered | null> {
  try {
    const { user, token } = await room.auth.api.signInEmail({ body: { email, password } });
    return { user_id: user.id, session: token };
  } catch (error) {
    if (isAPIError(error) && error.statusCode === 401) return null;
    throw mapPostgresError(error, null);
  }
}
