import { expect, it } from 'vitest';
import type { Role } from '../platform/index.ts';
import { refuseRoleChange, weakerRole } from './may-change-role.ts';

const roles: readonly Role[] = ['viewer', 'member', 'admin', 'owner'];
const anybody: readonly (Role | null)[] = [...roles, null];

// Planted bug: `owners < 1`, or leave the owner's case out of the third line of refuseRoleChange.
it('no change of membership that is let through ends with an organisation without an owner', () => {
  for (const actor of roles) {
    for (const to of anybody) {
      expect(refuseRoleChange({ actor, self: actor === 'owner', from: 'owner', to, owners: 1 })).toBe(
        to === 'owner' ? (actor === 'owner' ? null : 'forbidden') : actor === 'owner' ? 'last_owner' : 'forbidden',
      );
    }
  }
});

// Planted bug: compare with `strength.member`.
it('members and viewers change nobody, not even themselves, but may leave', () => {
  for (const actor of ['member', 'viewer'] as const) {
    for (const from of anybody) {
      for (const to of anybody) {
        expect(refuseRoleChange({ actor, self: false, from, to, owners: 2 })).toBe('forbidden');
      }
    }
    for (const to of roles)
      expect(refuseRoleChange({ actor, self: true, from: actor, to, owners: 2 })).toBe('forbidden');
    expect(refuseRoleChange({ actor, self: true, from: actor, to: null, owners: 2 })).toBeNull();
  }
});

// Planted bug: drop `to === 'owner'` from the rule for admins.
it('admins give and take every role but that of an owner', () => {
  for (const from of anybody) {
    for (const to of anybody) {
      const touchesOwner = from === 'owner' || to === 'owner';
      expect(refuseRoleChange({ actor: 'admin', self: false, from, to, owners: 2 })).toBe(
        touchesOwner ? 'forbidden' : null,
      );
    }
  }
});

it('the weaker of two roles is the same whichever comes first, and the first of its order', () => {
  for (const [i, one] of roles.entries()) {
    for (const [j, other] of roles.entries()) expect(weakerRole(one, other)).toBe(roles[Math.min(i, j)]);
  }
});
