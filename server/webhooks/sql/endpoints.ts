import type { Statement } from '../../platform/index.ts';

export interface EndpointRow {
  readonly webhook: string;
  readonly url: string;
  readonly description: string;
  readonly types: readonly string[] | null;
  readonly state: 'enabled' | 'disabled';
  readonly disabled_reason: 'gone' | 'failing' | null;
  readonly disabled_at: Date | null;
  readonly failing_since: Date | null;
  readonly created_at: Date;
  readonly rotated_at: Date;
}

/** What a request that makes a secret answers with. */
export interface SealedRow extends EndpointRow {
  readonly sealed_secret: string;
  readonly rotated_key: string | null;
  /** The request was a repetition. */
  readonly known: boolean;
}

const columns = `endpoint_id as webhook, url, description, types, state, disabled_reason, disabled_at, failing_since,
                 created_at, rotated_at`;
const sealedColumns = `(e.endpoint).endpoint_id as webhook, (e.endpoint).url, (e.endpoint).description,
  (e.endpoint).types, (e.endpoint).state, (e.endpoint).disabled_reason, (e.endpoint).disabled_at,
  (e.endpoint).failing_since, (e.endpoint).created_at, (e.endpoint).rotated_at, (e.endpoint).sealed_secret,
  (e.endpoint).rotated_key, e.known`;

export function createWebhookStatement(values: {
  readonly org_id: string;
  readonly endpoint_id: string;
  readonly url: string;
  readonly description: string;
  readonly types: readonly string[] | null;
  readonly sealed: string;
  readonly by: string;
  readonly key: string;
  readonly max: number;
}): Statement {
  const { org_id, endpoint_id, url, description, types, sealed, by, key, max } = values;
  return {
    name: 'webhooks.create',
    text: `select ${sealedColumns} from netra.create_webhook($1, $2, $3, $4, $5, $6, $7, $8, $9) e`,
    values: [org_id, endpoint_id, url, description, types, sealed, by, key, max],
  };
}

export function rotateWebhookStatement(
  org_id: string,
  endpoint_id: string,
  sealed: string,
  key: string,
  overlap_ms: number,
): Statement {
  return {
    name: 'webhooks.rotate',
    text: `select ${sealedColumns} from netra.rotate_webhook($1, $2, $3, $4, $5) e`,
    values: [org_id, endpoint_id, sealed, key, overlap_ms],
  };
}

/** Oldest first. */
export function listWebhooksStatement(org_id: string, after: string | null, limit: number): Statement {
  return {
    name: 'webhooks.list',
    text: `select ${columns} from netra.webhook_endpoint
            where org_id = $1 and ($2::uuid is null or endpoint_id > $2) order by endpoint_id limit $3`,
    values: [org_id, after, limit],
  };
}

export function readWebhookStatement(org_id: string, endpoint_id: string): Statement {
  return {
    name: 'webhooks.read',
    text: `select ${columns} from netra.webhook_endpoint where org_id = $1 and endpoint_id = $2`,
    values: [org_id, endpoint_id],
  };
}

export function deleteWebhookStatement(org_id: string, endpoint_id: string): Statement {
  return {
    name: 'webhooks.delete',
    text: 'delete from netra.webhook_endpoint where org_id = $1 and endpoint_id = $2 returning endpoint_id as webhook',
    values: [org_id, endpoint_id],
  };
}

export function enableWebhookStatement(org_id: string, endpoint_id: string): Statement {
  return {
    name: 'webhooks.enable',
    text: `update netra.webhook_endpoint
              set state = 'enabled', disabled_reason = null, disabled_at = null,
                  failing_since = case state when 'enabled' then failing_since end
            where org_id = $1 and endpoint_id = $2 returning ${columns}`,
    values: [org_id, endpoint_id],
  };
}
