import type { Statement } from '../../platform/index.ts';

/** The organisations whose plan says how long their usage is kept, after one, at most so many. */
export function limitedOrgs(after: string, orgs: number): Statement {
  return { text: 'select org_id, usage_days from netra.usage_retention($1, $2)', values: [after, orgs] };
}

/** How long a plan keeps usage, from a moment on; `usage_days` null = for ever. */
export interface UsageRetentionRow {
  readonly plan_id: string;
  readonly valid_from: Date;
  readonly usage_days: number | null;
  readonly changed_by: string;
  readonly changed_at: Date;
}

export const selectUsageRetentions: Statement = {
  text: `select plan_id, valid_from, usage_days, changed_by, changed_at from netra.plan_usage_retention
    order by plan_id, valid_from`,
  values: [],
};

export function setUsageRetentionStatement(said: {
  readonly by: string;
  readonly plan: string;
  readonly from: Date | null;
  readonly usage_days: number | null;
}): Statement {
  const values = [said.by, said.plan, said.from, said.usage_days];
  return { text: 'select netra.set_usage_retention($1, $2, $3, $4) as valid_from', values };
}

/** What goes, and by which time. Not `charge`, which has to sum to what PostgreSQL settled for ever (M4). */
export const keptTables = [
  ['usage', 'org_id', 'at'],
  ['event', 'org_id', 'at'],
  ['activity', 'org_id', 'at'],
  ['metric', 'org_id', 'at'],
  ['otel_logs', 'OrgId', 'TimestampTime'],
  ['otel_traces', 'OrgId', 'Timestamp'],
  ['otel_traces_trace_id_ts', 'OrgId', 'End'],
  ['otel_metrics_gauge', 'OrgId', 'TimeUnix'],
  ['otel_metrics_sum', 'OrgId', 'TimeUnix'],
  ['otel_metrics_histogram', 'OrgId', 'TimeUnix'],
  ['otel_metrics_exponential_histogram', 'OrgId', 'TimeUnix'],
  ['otel_metrics_summary', 'OrgId', 'TimeUnix'],
] as const;
type Kept = (typeof keptTables)[number];

const old = ([, org, at]: Kept): string => `${org} in {orgs:Array(UUID)} and ${at} < {before:Date}`;

/** Which of these organisations have rows that are too old: without any, nothing is rewritten. */
export function overdueText(table: Kept): string {
  return `select distinct toString(${table[1]}) as id from ${table[0]} where ${old(table)}`;
}

/** A mutation, and not a lightweight delete: it also takes the rows out of the rollups. */
export function deleteText(table: Kept): string {
  return `alter table ${table[0]} delete where ${old(table)}`;
}
