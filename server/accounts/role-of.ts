import type { Role } from '../platform/index.ts';
import type { AccountsRoom } from './room.ts';
import { roleIn } from './sql/members.ts';
import { rows } from './sql/rows.ts';

/** A user's role in an organisation as it is now; null for somebody who is no member of it. */
export async function roleOf({
  room,
  org_id,
  user_id,
}: {
  readonly room: AccountsRoom;
  readonly org_id: string;
  readonly user_id: string;
}): Promise<Role | null> {
  const [found] = await rows<{ readonly role: Role }>(room.pool, roleIn(org_id, user_id));
  return found?.role ?? null;
}
