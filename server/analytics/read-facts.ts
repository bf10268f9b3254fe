import { type Ctx, parseInput } from '../platform/index.ts';
import {
  factScope,
  type Activity,
  type EventFact,
  type FactKind,
  type FactScope,
  type Metric,
  type MetricSummary,
} from './facts.ts';
import type { Answer } from './schemas.ts';
import { factsText, metricSummaryText } from './sql/facts.ts';
import { parseTime } from './usage-time.ts';

interface Reading {
  readonly ctx: Ctx;
  /** `kind` is an event's type, an activity's action, a metric's name. */
  readonly input: FactScope;
}

/** The organisation's events, newest first. */
export function readEvents({ ctx, input }: Reading): Promise<Answer<EventFact>> {
  return read(ctx, 'event', input);
}

/** What the organisation's users did, newest first. */
export function readActivities({ ctx, input }: Reading): Promise<Answer<Activity>> {
  return read(ctx, 'activity', input);
}

/** The organisation's figures, newest first. */
export function readMetrics({ ctx, input }: Reading): Promise<Answer<Metric>> {
  return read(ctx, 'metric', input);
}

/** Sum, mean, extremes and quantiles of a metric; exactly one row. */
export async function summariseMetric({ ctx, input }: Reading): Promise<Answer<MetricSummary>> {
  const { filters, params } = scopeOf(ctx, input);
  const text = metricSummaryText(filters);
  const rows = await ctx.platform.clickhouse.query<Omit<MetricSummary, 'count'> & { values: number }>(text, params);
  return {
    query: { name: 'metric_summary', text, params },
    rows: rows.map(({ values, ...row }) => ({ count: values, ...row })),
  };
}

type StoredFact = Record<string, unknown> & { time: string; run_id_or_null: string | null; data?: string };

async function read<Fact>(ctx: Ctx, kind: FactKind, input: FactScope): Promise<Answer<Fact>> {
  const { filters, params } = scopeOf(ctx, input);
  const text = factsText(kind, filters);
  const stored = await ctx.platform.clickhouse.query<StoredFact>(text, params);
  const rows = stored.map(({ time: at, run_id_or_null: run_id, data, ...rest }) => {
    const fact = { ...rest, at, run_id, ...(data === undefined ? {} : { data: JSON.parse(data) as unknown }) };
    // The columns of each kind's text are the fields of its fact: sql/facts.ts.
    return fact as unknown as Fact;
  });
  return { query: { name: `${kind}_list`, text, params }, rows };
}

function scopeOf(ctx: Ctx, input: FactScope) {
  const { limit, kind, user_id, run_id, from, to } = parseInput(factScope, input);
  const times = { from: from && parseTime(from), to: to && parseTime(to) };
  const given = { kind, user_id, run_id, ...times };
  const filters = (['kind', 'user_id', 'run_id', 'from', 'to'] as const).filter((name) => given[name] !== undefined);
  const wanted = Object.fromEntries(filters.map((name) => [name, given[name]]));
  return { filters, params: { org: ctx.principal.org_id, limit, ...wanted } };
}
