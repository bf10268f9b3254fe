import type { Role } from '../platform/index.ts';
import type { TenantCall } from './room.ts';
import { unauthenticated } from './unauthenticated.ts';
import { profile, type Profile } from './sql/members.ts';
import { rows } from './sql/rows.ts';

export interface Me extends Profile {
  readonly org: string;
  readonly user: string;
  readonly role: Role;
  readonly kind: 'user' | 'api_key';
}

/** Whose token this is. Throws `unauthenticated` if the membership ended while the token lived on. */
export async function readMe({ room, ctx }: Omit<TenantCall, 'input'>): Promise<Me> {
  const { org_id: org, user_id: user, role, kind } = ctx.principal;
  const [found] = await rows<Profile>(room.pool, profile(org, user));
  if (!found) throw unauthenticated();
  return { ...found, org, user, role, kind };
}
