import type { FactKind } from '../facts.ts';

/** What an organisation's facts are filtered by; `kind` is each table's own word for it. */
const kindColumn = { event: 'type', activity: 'action', metric: 'name' } as const satisfies Record<FactKind, string>;
const columns = {
  event: 'type, data',
  activity: 'action, data',
  metric: 'name, toString(value) as value',
} as const satisfies Record<FactKind, string>;

type Filter = 'kind' | 'user_id' | 'run_id' | 'from' | 'to';

/** T1: every text about facts is made here, and begins with the organisation. */
function scoped(table: FactKind, filters: readonly Filter[]): string {
  const conditions: Record<Filter, string> = {
    kind: `${kindColumn[table]} = {kind:String}`,
    user_id: 'user_id = {user_id:String}',
    run_id: 'run_id = {run_id:UUID}',
    from: "at >= {from:DateTime64(6, 'UTC')}",
    to: "at < {to:DateTime64(6, 'UTC')}",
  };
  const wanted = filters.map((filter) => `\n  and ${conditions[filter]}`).join('');
  return `from ${table} final\nwhere org_id = {org:UUID}${wanted}`;
}

export function factsText(table: FactKind, filters: readonly Filter[]): string {
  return `select event_id, toString(at) as time, user_id,
  if(run_id = toUUID('00000000-0000-0000-0000-000000000000'), null, toString(run_id)) as run_id_or_null,
  ${columns[table]}
${scoped(table, filters)}
order by at desc, event_id desc
limit {limit:UInt32}`;
}

export function metricSummaryText(filters: readonly Filter[]): string {
  return `select toUInt32(count()) as values,
  toString(sum(value)) as sum,
  if(values = 0, null, toString(divideDecimal(toDecimal256(sum(value), 12), toDecimal256(values, 0), 12))) as avg,
  if(values = 0, null, toString(min(value))) as min,
  if(values = 0, null, toString(max(value))) as max,
  if(values = 0, null, toString(quantileExact(0.5)(value))) as p50,
  if(values = 0, null, toString(quantileExact(0.95)(value))) as p95,
  if(values = 0, null, toString(quantileExact(0.99)(value))) as p99
${scoped('metric', filters)}`;
}

export function presentText(table: FactKind): string {
  return `select distinct toString(event_id) as id ${scoped(table, [])}
  and event_id in {ids:Array(UUID)} and at >= {from:DateTime64(6, 'UTC')} and at <= {to:DateTime64(6, 'UTC')}`;
}
