import type { Statement } from '../../platform/index.ts';

export interface ClaimedRow {
  readonly org_id: string;
  readonly endpoint_id: string;
  readonly url: string;
  readonly sealed_secret: string;
  /** Null unless the secret before still signs. */
  readonly sealed_previous: string | null;
  readonly event_id: string;
  readonly type: string;
  readonly at: Date;
  readonly data: unknown;
  /** That were made and failed. */
  readonly attempts: number;
}

export function claimDeliveriesStatement(token: string, limit: number, lease_ms: number): Statement {
  return {
    name: 'webhooks.claim',
    text: `select org_id, endpoint_id, url, sealed_secret, sealed_previous, event_id, type, at, data, attempts
             from netra.claim_deliveries($1, $2, $3)`,
    values: [token, limit, lease_ms],
  };
}

export function recordDeliveryStatement(values: {
  readonly org_id: string;
  readonly endpoint_id: string;
  readonly event_id: string;
  readonly token: string;
  readonly outcome: 'delivered' | 'retry' | 'failed' | 'gone';
  readonly status: number | null;
  readonly error: string | null;
  readonly response: string | null;
  readonly wait_ms: number | null;
  readonly patience_ms: number;
}): Statement {
  const { org_id, endpoint_id, event_id, token, outcome, status, error, response, wait_ms, patience_ms } = values;
  return {
    name: 'webhooks.record',
    text: 'select netra.record_delivery($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as disabled',
    values: [org_id, endpoint_id, event_id, token, outcome, status, error, response, wait_ms, patience_ms],
  };
}

export interface DeliveryRow {
  readonly ordinal: bigint;
  readonly message: string;
  readonly type: string;
  readonly state: 'waiting' | 'delivered' | 'failed';
  readonly attempts: number;
  readonly next_at: Date | null;
  readonly status: number | null;
  readonly error: string | null;
  readonly response: string | null;
  readonly created_at: Date;
  readonly ended_at: Date | null;
}

/** Newest first. */
export function listDeliveriesStatement(
  org_id: string,
  endpoint_id: string,
  before: bigint | null,
  limit: number,
): Statement {
  return {
    name: 'webhooks.list_deliveries',
    text: `select d.ordinal, d.event_id as message, v.type, d.state, d.attempts,
                  case d.state when 'waiting' then d.next_at end as next_at, d.status, d.error, d.response,
                  v.at as created_at, d.ended_at
             from netra.webhook_delivery d
             join netra.webhook_event v on v.org_id = d.org_id and v.event_id = d.event_id
            where d.org_id = $1 and d.endpoint_id = $2 and ($3::bigint is null or d.ordinal < $3)
            order by d.ordinal desc limit $4`,
    values: [org_id, endpoint_id, before, limit],
  };
}

export function testWebhookStatement(org_id: string, endpoint_id: string, key: string, max: number): Statement {
  return {
    name: 'webhooks.test',
    text: 'select netra.test_webhook($1, $2, $3, $4) as message',
    values: [org_id, endpoint_id, key, max],
  };
}

export function resendDeliveryStatement(org_id: string, endpoint_id: string, event_id: string, max: number): Statement {
  return {
    name: 'webhooks.resend',
    text: 'select netra.resend_delivery($1, $2, $3, $4)',
    values: [org_id, endpoint_id, event_id, max],
  };
}

export function forgetDeliveriesStatement(delivery_days: number, event_days: number, limit: number): Statement {
  return {
    name: 'webhooks.forget',
    text: 'select netra.forget_deliveries($1, $2, $3) as rows',
    values: [delivery_days, event_days, limit],
  };
}
