import { createHash } from 'node:crypto';
import { NetraError } from '@netra/contract';
import type { AccountsRoom } from './room.ts';

/**
 * Counts a password attempt, by address and by e-mail, before any password is looked at: a guess costs the guesser,
 * not our CPU. Throws `rate_limited` with `resets_in_ms`. The e-mail is hashed: counters are no list of customers.
 */
export async function limitAttempts(room: AccountsRoom, email: string, address: string): Promise<void> {
  const { per_email, per_address, window_ms } = room.limits;
  const who = createHash('sha256').update(email).digest('base64url').slice(0, 22);
  await take(room, `netra:{address:${address}}:password`, per_address, window_ms);
  await take(room, `netra:{email:${who}}:password`, per_email, window_ms);
}

async function take(room: AccountsRoom, key: string, max: number, window_ms: number): Promise<void> {
  const { allowed, resets_in_ms } = await room.platform.redis.consume({ key, points: 1, max, window_ms });
  if (!allowed) throw new NetraError('rate_limited', 'Too many attempts; wait and try again', { resets_in_ms });
}
