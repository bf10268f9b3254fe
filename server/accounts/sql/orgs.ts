import type { Statement } from '../../platform/index.ts';

/** The tenant's root row, written as netra_app inside the tenant. The name follows the account's. */
export function insertOrg(org_id: string, name: string): Statement {
  return {
    name: 'accounts_insert_org',
    text: `
      insert into netra.org (org_id, name) values ($1, $2)
      on conflict (org_id) do update set name = excluded.name`,
    values: [org_id, name],
  };
}

export function markProvisioned(org_id: string): Statement {
  return {
    name: 'accounts_mark_provisioned',
    text: 'update auth.organization set provisioned_at = now() where id = $1 and provisioned_at is null',
    values: [org_id],
  };
}

/** Before it is provisioned, a retry may correct what the first try asked for. */
export function correctUnprovisioned(org_id: string, name: string, plan: string): Statement {
  return {
    name: 'accounts_correct_unprovisioned',
    text: 'update auth.organization set name = $2, plan = $3 where id = $1 and provisioned_at is null',
    values: [org_id, name, plan],
  };
}
