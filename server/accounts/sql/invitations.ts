import type { Role, Statement } from '../../platform/index.ts';

export interface NewInvitation {
  readonly id: string;
  readonly org_id: string;
  readonly email: string;
  readonly role: Role;
  readonly inviter_id: string;
  readonly ttl_s: number;
}

/** One open invitation an address: inviting again replaces it, and the former link stops working. */
export function upsertInvitation({ id, org_id, email, role, inviter_id, ttl_s }: NewInvitation): Statement {
  return {
    name: 'accounts_upsert_invitation',
    text: `
      insert into auth.invitation (id, organization_id, email, role, status, inviter_id, expires_at)
      values ($1, $2, $3, $4, 'pending', $5, now() + make_interval(secs => $6))
      on conflict (organization_id, email) where status = 'pending'
      do update set id = excluded.id, role = excluded.role, inviter_id = excluded.inviter_id,
                    expires_at = excluded.expires_at, created_at = now()
      returning expires_at`,
    values: [id, org_id, email, role, inviter_id, ttl_s],
  };
}

export interface OpenInvitation {
  readonly org_id: string;
  readonly role: Role;
}

/** Locks it: of two acceptances at once, the second finds it taken. */
export function openInvitation(id: string, email: string): Statement {
  return {
    name: 'accounts_open_invitation',
    text: `
      select organization_id as org_id, role from auth.invitation
      where id = $1 and email = $2 and status = 'pending' and expires_at > now()
      for update`,
    values: [id, email],
  };
}

export function acceptInvitation(id: string): Statement {
  return {
    name: 'accounts_accept_invitation',
    text: `update auth.invitation set status = 'accepted' where id = $1`,
    values: [id],
  };
}
