import { createHash } from 'node:crypto';
import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import {
  factSchemas,
  type FactKind,
  type NewActivity,
  type NewEventFact,
  type NewMetric,
  type RecordResult,
} from './facts.ts';
import { presentText } from './sql/facts.ts';
import { parseTime } from './usage-time.ts';

const maxBatch = 5_000;
// Bound parameters travel in the URL, of which a server reads 16 KiB at least.
const lookupRows = 200;
const maxErrors = 100;

interface Recording<Fact> {
  readonly ctx: Ctx;
  /** Up to 5,000. */
  readonly input: readonly Fact[];
}

/** Adds events; they can be asked for as soon as this resolves. An event id that is known changes nothing. */
export function recordEvents({ ctx, input }: Recording<NewEventFact>): Promise<RecordResult> {
  return record(ctx, 'event', input);
}

/** Adds activities, as `recordEvents` adds events. */
export function recordActivities({ ctx, input }: Recording<NewActivity>): Promise<RecordResult> {
  return record(ctx, 'activity', input);
}

/** Adds figures, as `recordEvents` adds events. */
export function recordMetrics({ ctx, input }: Recording<NewMetric>): Promise<RecordResult> {
  return record(ctx, 'metric', input);
}

type Row = Readonly<Record<string, unknown>> & { readonly event_id: string; readonly at: string };

async function record(ctx: Ctx, kind: FactKind, input: readonly unknown[]): Promise<RecordResult> {
  if (input.length > maxBatch) {
    throw new NetraError('payload_too_large', `A batch may have at most ${maxBatch} rows`, { max_rows: maxBatch });
  }
  const { rows, good, errors, rejected } = sortOut(ctx.principal.org_id, kind, input);
  const known = rows.length === 0 ? new Set<string>() : await findPresent(ctx, kind, rows);
  const missing = rows.filter((row) => !known.has(row.event_id));
  if (missing.length > 0) {
    await ctx.platform.clickhouse.insert({ table: kind, rows: missing, token: tokenOf(ctx.principal.org_id, missing) });
  }
  return { inserted: missing.length, duplicates: good - missing.length, rejected, errors };
}

function sortOut(org_id: string, kind: FactKind, input: readonly unknown[]) {
  const rows = new Map<string, Row>();
  const errors: { row: number; message: string }[] = [];
  let good = 0;
  input.forEach((fact, row) => {
    const parsed = factSchemas[kind].safeParse(fact);
    if (parsed.success) {
      good += 1;
      const stored = asStored(org_id, parsed.data);
      if (!rows.has(stored.event_id)) rows.set(stored.event_id, stored);
      return;
    }
    const [issue] = parsed.error.issues;
    if (errors.length < maxErrors) errors.push({ row, message: `${issue?.path.join('.')}: ${issue?.message}` });
  });
  return { rows: [...rows.values()], good, errors, rejected: input.length - good };
}

function asStored(org_id: string, fact: { event_id: string; at: string; data?: unknown }): Row {
  const at = (parseTime(fact.at) ?? '').slice(0, -1);
  const data = fact.data === undefined ? {} : { data: JSON.stringify(fact.data) };
  return { ...fact, ...data, org_id, at, event_id: fact.event_id.toLowerCase() };
}

/** Which of these are there: only in the time that they span, so that old partitions stay untouched. */
async function findPresent(ctx: Ctx, kind: FactKind, rows: readonly Row[]): Promise<ReadonlySet<string>> {
  const present = new Set<string>();
  for (let from = 0; from < rows.length; from += lookupRows) {
    const part = rows.slice(from, from + lookupRows);
    const times = part.map((row) => row.at).sort();
    const found = await ctx.platform.clickhouse.query<{ id: string }>(presentText(kind), {
      org: ctx.principal.org_id,
      ids: part.map((row) => row.event_id),
      from: times[0],
      to: times.at(-1),
    });
    for (const { id } of found) present.add(id);
  }
  return present;
}

/** The same rows have the same token, whoever sends them: two at once insert them once. */
function tokenOf(org_id: string, rows: readonly Row[]): string {
  const ids = rows.map((row) => row.event_id).sort();
  return createHash('sha256').update(`${org_id}:${ids.join()}`).digest('hex');
}
