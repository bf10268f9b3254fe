import type { Role, Statement } from '../../platform/index.ts';

export interface ListedMember {
  readonly member: string;
  readonly user: string;
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly joined_at: Date;
}

export function membersOf(org_id: string, after: string | null, limit: number): Statement {
  return {
    name: 'accounts_members_of',
    text: `
      select m.id as member, m.user_id as user, u.email, u.name, m.role, m.created_at as joined_at
      from auth.member m join auth.user u on u.id = m.user_id
      where m.organization_id = $1 and ($2::uuid is null or m.id > $2)
      order by m.id
      limit $3`,
    values: [org_id, after, limit],
  };
}

export function roleIn(org_id: string, user_id: string): Statement {
  return {
    name: 'accounts_role_in',
    text: 'select role from auth.member where organization_id = $1 and user_id = $2',
    values: [org_id, user_id],
  };
}

/** One change of membership at a time in an organisation: two owners that demote each other must not both succeed. */
export function lockOrganization(org_id: string): Statement {
  return {
    name: 'accounts_lock_organization',
    text: 'select id from auth.organization where id = $1 for update',
    values: [org_id],
  };
}

export interface Standing {
  readonly actor: Role | null;
  readonly subject: Role | null;
  readonly owners: number;
}

/** The roles that decide a change, as they are now. */
export function standing(org_id: string, actor_id: string, subject_id: string): Statement {
  return {
    name: 'accounts_standing',
    text: `
      select min(role) filter (where user_id = $2) as actor,
             min(role) filter (where user_id = $3) as subject,
             (count(*) filter (where role = 'owner'))::integer as owners
      from auth.member
      where organization_id = $1 and (user_id in ($2, $3) or role = 'owner')`,
    values: [org_id, actor_id, subject_id],
  };
}

export function updateRole(org_id: string, user_id: string, role: Role): Statement {
  return {
    name: 'accounts_update_role',
    text: 'update auth.member set role = $3 where organization_id = $1 and user_id = $2',
    values: [org_id, user_id, role],
  };
}

/** The membership, the sessions that act in it, and the keys made under it: joining again brings none of them back. */
export function deleteMember(org_id: string, user_id: string): Statement {
  return {
    name: 'accounts_delete_member',
    text: `
      with gone as (delete from auth.member where organization_id = $1 and user_id = $2),
           ended as (delete from auth.session where active_organization_id = $1 and user_id = $2)
      delete from auth.apikey where reference_id = $1 and metadata::jsonb->>'created_by' = $2::text`,
    values: [org_id, user_id],
  };
}

export function insertMember(id: string, org_id: string, user_id: string, role: Role): Statement {
  return {
    name: 'accounts_insert_member',
    text: `
      insert into auth.member (id, organization_id, user_id, role) values ($1, $2, $3, $4)
      on conflict (organization_id, user_id) do nothing`,
    values: [id, org_id, user_id, role],
  };
}

export interface Profile {
  readonly org_name: string;
  readonly email: string;
  readonly name: string;
}

export function profile(org_id: string, user_id: string): Statement {
  return {
    name: 'accounts_profile',
    text: `
      select o.name as org_name, u.email, u.name
      from auth.member m join auth.organization o on o.id = m.organization_id join auth.user u on u.id = m.user_id
      where m.organization_id = $1 and m.user_id = $2`,
    values: [org_id, user_id],
  };
}
