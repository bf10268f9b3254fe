import type { Statement } from '../../platform/index.ts';

export function takeOutbox(batch_id: string, limit: number, lease_ms: number): Statement {
  return {
    name: 'take_outbox',
    text: 'select batch_id, org_id, event_id, kind, at, payload from netra.take_outbox($1, $2, $3)',
    values: [batch_id, limit, lease_ms],
  };
}

export function clearOutbox(batch_id: string): Statement {
  return { name: 'clear_outbox', text: 'select netra.clear_outbox($1)', values: [batch_id] };
}

/** Per organisation: what terminal runs settled, and how many of its rows have not left the outbox. */
export function readSettled(): Statement {
  return { text: 'select org_id, settled_micro, waiting from netra.read_settled()', values: [] };
}

/** For ClickHouse: an operator's check, the one text of this room over all organisations. */
export const chargesText = 'select org_id, toString(sum(amount_micro)) as summed from charge group by org_id';
