import type { Role, Statement } from '../../platform/index.ts';

/** One user in one organisation. */
export interface Membership {
  readonly org_id: string;
  readonly org_name: string;
  readonly plan: string;
  readonly provisioned: boolean;
  readonly user_id: string;
  readonly role: Role;
}

const columns = `
  m.organization_id as org_id, o.name as org_name, o.plan, o.provisioned_at is not null as provisioned,
  m.user_id, m.role`;

/** The organisations of a user, the first joined first. */
export function membershipsOf(user_id: string): Statement {
  return {
    name: 'accounts_memberships_of',
    text: `
      select ${columns}
      from auth.member m join auth.organization o on o.id = m.organization_id
      where m.user_id = $1
      order by m.created_at, m.id
      limit 100`,
    values: [user_id],
  };
}

export interface SessionMembership extends Membership {
  readonly expires_at: Date;
  readonly updated_at: Date;
}

/** The living session of a token, with the membership it acts in; no row if either is gone. */
export function sessionMembership(token: string): Statement {
  return {
    name: 'accounts_session_membership',
    text: `
      select ${columns}, s.expires_at, s.updated_at
      from auth.session s
      join auth.member m on m.user_id = s.user_id and m.organization_id = s.active_organization_id
      join auth.organization o on o.id = m.organization_id
      where s.token = $1 and s.expires_at > now()`,
    values: [token],
  };
}

/** Lets a session act in an organisation, and clears away the user's sessions that have ended. */
export function enterSession(token: string, org_id: string): Statement {
  return {
    name: 'accounts_enter_session',
    text: `
      with entered as (
        update auth.session set active_organization_id = $2 where token = $1 returning user_id
      )
      delete from auth.session s using entered e where s.user_id = e.user_id and s.expires_at < now()`,
    values: [token, org_id],
  };
}

/** Moves the end of a session; the token stays, so that two tabs with the same session both go on. */
export function extendSession(token: string, ttl_s: number): Statement {
  return {
    name: 'accounts_extend_session',
    text: `
      update auth.session set expires_at = now() + make_interval(secs => $2), updated_at = now()
      where token = $1 and expires_at > now()`,
    values: [token, ttl_s],
  };
}

export function deleteSession(token: string): Statement {
  return { name: 'accounts_delete_session', text: 'delete from auth.session where token = $1', values: [token] };
}
