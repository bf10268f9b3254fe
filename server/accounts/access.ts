import { createAccessControl } from 'better-auth/plugins/access';
import { adminAc, defaultStatements, memberAc, ownerAc } from 'better-auth/plugins/organization/access';

/** What each role may do, in better-auth's terms. It asks before it makes an API key; the rest is may-change-role.ts. */
export const access = createAccessControl({ ...defaultStatements, apiKey: ['create', 'delete'] });

export const accessRoles = {
  owner: access.newRole({ ...ownerAc.statements, apiKey: ['create', 'delete'] }),
  admin: access.newRole({ ...adminAc.statements, apiKey: ['create', 'delete'] }),
  member: access.newRole({ ...memberAc.statements }),
  viewer: access.newRole({}),
};
