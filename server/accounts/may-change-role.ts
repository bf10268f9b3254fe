import type { Role } from '../platform/index.ts';

const strength: Record<Role, number> = { viewer: 0, member: 1, admin: 2, owner: 3 };

export function weakerRole(one: Role, other: Role): Role {
  return strength[one] < strength[other] ? one : other;
}

export interface RoleChange {
  /** Who asks: the role they have now, not the one their token says. */
  readonly actor: Role;
  readonly self: boolean;
  readonly from: Role | null;
  /** null = out of the organisation. */
  readonly to: Role | null;
  readonly owners: number;
}

/**
 * Why a change of membership is refused; null if it may happen. Owners may do all but leave the organisation without
 * an owner; admins may do what does not touch an owner; everyone may leave.
 */
export function refuseRoleChange({ actor, self, from, to, owners }: RoleChange): 'forbidden' | 'last_owner' | null {
  const leaving = self && to === null;
  if (!leaving && strength[actor] < strength.admin) return 'forbidden';
  if (!leaving && actor !== 'owner' && (from === 'owner' || to === 'owner')) return 'forbidden';
  if (from === 'owner' && to !== 'owner' && owners <= 1) return 'last_owner';
  return null;
}
