import { refreshBody } from '@netra/contract';
import { parseInput } from '../platform/index.ts';
import type { PublicCall } from './room.ts';
import { deleteSession } from './sql/memberships.ts';
import { rows } from './sql/rows.ts';

/** Ends a session: no new access tokens. One that is out lives on for at most 15 minutes. Ending it twice is no error. */
export async function signOut({ room, input }: PublicCall): Promise<void> {
  const { refresh_token } = parseInput(refreshBody, input);
  await rows(room.pool, deleteSession(refresh_token));
}
