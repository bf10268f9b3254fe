import type { Statement } from '../../../platform/index.ts';

export function storeEventStatement(provider: string, event_id: string, type: string, body: string): Statement {
  return {
    text: 'select netra.store_payment_event($1, $2, $3, $4) as stored',
    values: [provider, event_id, type, body],
  };
}

export function applyNoticeStatement(provider: string, event_id: string, notice: object): Statement {
  return {
    text: 'select netra.apply_payment_notice($1, $2, $3::jsonb) as state',
    values: [provider, event_id, JSON.stringify(notice)],
  };
}

export function postponeEventStatement(provider: string, event_id: string, note: string): Statement {
  return { text: 'select netra.postpone_payment_event($1, $2, $3)', values: [provider, event_id, note] };
}

export function dueEventsStatement(provider: string, limit: number): Statement {
  return { text: 'select event_id, body from netra.due_payment_events($1, $2)', values: [provider, limit] };
}

export type EventState = 'received' | 'processed' | 'ignored' | 'flagged';

/** What a provider told; its body stays in the database. */
export interface EventRow {
  readonly provider: string;
  readonly event_id: string;
  readonly type: string;
  readonly received_at: Date;
  readonly state: EventState;
  readonly note: string;
  readonly attempts: number;
}

export function listEventsStatement(state: EventState | null, limit: number): Statement {
  return {
    text: `select provider, event_id, type, received_at, state, note, attempts
             from netra.list_payment_events($1, $2)`,
    values: [state, limit],
  };
}
