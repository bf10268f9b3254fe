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

export const outboxWaits: Statement = {
  name: 'outbox_waits',
  text: 'select netra.outbox_waits() as waits',
  values: [],
};

/** Per organisation: what terminal runs settled, and how many of its rows have not left the outbox. `seen`: in a tenant. */
export function readSettled(scope: 'all' | 'seen'): Statement {
  const read = scope === 'seen' ? 'read_seen_settled' : 'read_settled';
  return { text: `select org_id, settled_micro, waiting from netra.${read}()`, values: [] };
}

export const outboxBacklog: Statement = {
  name: 'outbox_backlog',
  text: 'select waiting, extract(epoch from now() - oldest_at)::float8 as oldest_seconds from netra.outbox_backlog()',
  values: [],
};

/** What charges of a day are, in either store. `runs` tells rows that are there twice from rows that are right. */
export interface DayCharges {
  readonly day: string;
  readonly micro: string;
  readonly rows: string;
  readonly runs: string;
}

const ofDay = `toString(toDate(c.at, 'UTC')) as day, toString(sum(c.amount_micro)) as micro, toString(count()) as rows,
  toString(uniqExact(c.event_id)) as runs`;

/** For ClickHouse: an operator's check, the one text of this room over all organisations; the other is of one. */
export const allChargesText = `select c.org_id as org_id, ${ofDay} from charge c group by org_id, day`;
export const chargesText = `
select c.org_id as org_id, ${ofDay} from charge c where c.org_id = {org:UUID} group by org_id, day`;

/** What an organisation's ended runs settled, by UTC day. */
export function settledByDay(org_id: string): Statement {
  return {
    text: `select to_char(r.ended_at at time zone 'UTC', 'YYYY-MM-DD') as day, sum(h.spent_micro)::text as micro,
                  count(*)::text as rows, count(*)::text as runs
             from netra.run r join netra.hold h on h.org_id = r.org_id and h.hold_id = r.hold_id
            where r.org_id = $1 and r.state in ('completed', 'failed', 'cancelled') group by 1`,
    values: [org_id],
  };
}

export interface ChargeRow {
  readonly hold_id: string;
  readonly run_id: string;
  readonly at: string;
  readonly micro: string;
  readonly times: string;
}

/** One such day, run by run. */
export function settledOfDay(org_id: string, day: string): Statement {
  return {
    text: `select r.hold_id, r.run_id, to_char(r.ended_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
                  h.spent_micro::text as micro, '1' as times
             from netra.run r join netra.hold h on h.org_id = r.org_id and h.hold_id = r.hold_id
            where r.org_id = $1 and r.state in ('completed', 'failed', 'cancelled')
              and r.ended_at >= $2::date::timestamp at time zone 'UTC'
              and r.ended_at < ($2::date + 1)::timestamp at time zone 'UTC'`,
    values: [org_id, day],
  };
}

/** The same for ClickHouse. */
export const chargesOfDayText = `
select toString(c.event_id) as hold_id, toString(any(c.run_id)) as run_id,
  formatDateTime(min(c.at), '%Y-%m-%dT%H:%i:%SZ', 'UTC') as at, toString(sum(c.amount_micro)) as micro,
  toString(count()) as times
from charge c where c.org_id = {org:UUID} and toDate(c.at, 'UTC') = {day:Date} group by c.event_id`;
