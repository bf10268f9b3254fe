import type { Role, Statement } from '../../platform/index.ts';

export interface ApiKeyRow {
  readonly key_id: string;
  readonly org_id: string;
  readonly user_id: string;
  readonly key_role: Role;
  readonly member_role: Role;
  readonly expires_at: Date | null;
}

/** A key that works: enabled, and its maker still a member. */
export function apiKeyByHash(hash: string): Statement {
  return {
    name: 'accounts_api_key_by_hash',
    text: `
      select k.id as key_id, k.reference_id as org_id, m.user_id, k.metadata::jsonb->>'role' as key_role,
             m.role as member_role, k.expires_at
      from auth.apikey k
      join auth.member m
        on m.organization_id = k.reference_id and m.user_id = (k.metadata::jsonb->>'created_by')::uuid
      where k.key = $1 and k.enabled`,
    values: [hash],
  };
}

export interface ListedApiKey {
  readonly key: string;
  readonly name: string | null;
  readonly start: string;
  readonly role: Role;
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

export function apiKeysOf(org_id: string, after: string | null, limit: number): Statement {
  return {
    name: 'accounts_api_keys_of',
    text: `
      select id as key, name, start, metadata::jsonb->>'role' as role, metadata::jsonb->>'created_by' as created_by,
             created_at, expires_at
      from auth.apikey
      where reference_id = $1 and ($2::uuid is null or id < $2)
      order by id desc
      limit $3`,
    values: [org_id, after, limit],
  };
}

export function deleteApiKey(org_id: string, key_id: string): Statement {
  return {
    name: 'accounts_delete_api_key',
    text: 'delete from auth.apikey where reference_id = $1 and id = $2 returning id',
    values: [org_id, key_id],
  };
}
