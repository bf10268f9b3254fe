import { createHash } from 'node:crypto';
import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { type Ctx, parseInput } from '../platform/index.ts';
import { scopedQuery } from './ask.ts';
import type { NamedQuery } from './schemas.ts';
import {
  boundText,
  breakdownKeys,
  breakdownSums,
  breakdownText,
  filterText,
  keyColumns,
  type BreakdownKey,
  type BreakdownOrder,
  type BreakdownShape,
  type BreakdownSum,
  type Grain,
} from './sql/usage-breakdown.ts';
import { fromPico, toPico } from './usage-sums.ts';
import { parseTime } from './usage-time.ts';

const orders = ['key', 'calls', 'errors', 'input_tokens', 'output_tokens', 'cost'] as const;
const names = z.array(z.string().max(512)).min(1).max(20).optional();

export const breakdownInput = z.strictObject({
  by: z.array(z.enum(breakdownKeys)).max(3).default([]),
  source: z.enum(['import', 'run', 'all']).default('import'),
  from: z.string().max(40).optional(),
  to: z.string().max(40).optional(),
  user: names,
  agent: names,
  feature: names,
  provider: names,
  model: names,
  order: z.enum(orders).optional(),
  quantiles: z
    .array(z.enum(['latency', 'cost']))
    .max(2)
    .default([]),
  limit: z.int().min(1).max(1000).default(100),
  cursor: z.string().min(1).max(4096).optional(),
});
export type BreakdownInput = z.input<typeof breakdownInput>;
type Asked = z.output<typeof breakdownInput>;

/** Calls and errors are numbers, tokens and money exact decimal strings, `null` where there is nothing to sum. */
export type UsageSumsRow = Readonly<Record<BreakdownSum, string | number>>;
export type QuantileRow = readonly [number | null, number | null, number | null];
export interface Breakdown {
  readonly query: NamedQuery;
  readonly rows: readonly Readonly<Record<string, string | number | QuantileRow>>[];
  /** The groups behind this page, summed; null if there are none. */
  readonly rest: UsageSumsRow | null;
  readonly next: string | null;
}

const place = z.strictObject({ of: z.string(), value: z.string().max(60), keys: z.array(z.string().max(600)).max(3) });

/**
 * The organisation's usage by up to three of day, hour, user, agent, feature, provider and model; by none = its total.
 * Whoever is in the organisation may read it. The order is by cost, or by key where days or hours are asked for. Throws
 * `invalid_request` that names what is wrong, also for a question with more than 500,000 groups.
 */
export async function breakDownUsage({
  ctx,
  input,
}: {
  readonly ctx: Ctx;
  readonly input: BreakdownInput;
}): Promise<Breakdown> {
  const asked = parseInput(breakdownInput, input);
  const { query, order, of } = buildBreakdown(ctx.principal.org_id, asked);
  const stored = await ctx.platform.clickhouse.query<Stored>(query.text, query.params).catch(refuseTooMany);
  const shown = stored.slice(0, asked.limit);
  const last = stored.length > asked.limit ? shown.at(-1) : undefined;
  return {
    query,
    rows: shown.map((row) => rowOf(asked, row)),
    rest: last === undefined ? null : restOf(last, shown),
    next: last === undefined ? null : writeCursor(of, valueOf(order, last), keysOf(asked.by, last)),
  };
}

/** T1: a query of usage begins with the organisation it is made for (`scopedQuery`); there is no other way to one. */
export function buildBreakdown(
  org_id: string,
  asked: Asked,
): { readonly query: NamedQuery; readonly order: BreakdownOrder; readonly of: string } {
  if (new Set(asked.by).size < asked.by.length) throw wrong('by', 'names a key twice');
  const order = asked.order ?? (asked.by.includes('day') || asked.by.includes('hour') ? 'key' : 'cost');
  const range = rangeOf(asked);
  const conditions = range.sides.map((side) => boundText(range.grain, side));
  const params: Record<string, unknown> = { ...range.params, limit: asked.limit + 1 };
  if (asked.source !== 'all') {
    conditions.unshift('source = {source:String}');
    params['source'] = asked.source;
  }
  for (const key of ['user', 'agent', 'feature', 'provider', 'model'] as const) {
    const wanted = asked[key];
    if (wanted === undefined) continue;
    conditions.push(filterText(key));
    params[key] = wanted;
  }
  const of = questionOf(asked, order);
  const shape: BreakdownShape = {
    keys: asked.by,
    grain: range.grain,
    order,
    spread: asked.quantiles,
    paged: asked.cursor !== undefined,
  };
  if (asked.cursor !== undefined) Object.assign(params, readCursor(asked.cursor, of, asked.by, order));
  const name = asked.by.length === 0 ? 'usage_totals' : `usage_by_${asked.by.join('_')}`;
  return { query: scopedQuery(org_id, { name, conditions, params, body: breakdownText(shape) }), order, of };
}

/** A range of whole days or hours can be answered from a rollup of days or hours. */
function rangeOf(asked: Asked): {
  readonly grain: Grain;
  readonly sides: readonly ('from' | 'to')[];
  readonly params: Readonly<Record<string, string>>;
} {
  const sides = (['from', 'to'] as const).filter((side) => asked[side] !== undefined);
  const times = sides.map((side) => momentOf(side, asked[side] ?? ''));
  const whole = (zero: RegExp): boolean => times.every((time) => zero.test(time));
  const ofDays = whole(/ 00:00:00\.0+$/) && !asked.by.includes('hour');
  const grain: Grain = ofDays ? 'day' : whole(/:00:00\.0+$/) ? 'hour' : 'exact';
  const length = { day: 10, hour: 19, exact: 40 }[grain];
  return {
    grain,
    sides,
    params: Object.fromEntries(sides.map((side, index) => [side, (times[index] ?? '').slice(0, length)])),
  };
}

function momentOf(side: 'from' | 'to', text: string): string {
  const time = parseTime(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (time === undefined) throw wrong(side, 'is not a date or time in ISO 8601');
  // What a Date of ClickHouse holds; a bound beyond it would wrap around.
  if (time < '1970-01-02' || time >= '2106-01-01') throw wrong(side, 'is not between 1970 and 2105');
  return time;
}

type Stored = Readonly<Record<string, string | readonly (number | null)[]>>;

function keysOf(by: readonly BreakdownKey[], row: Stored): readonly string[] {
  return by.map((key) => {
    const { name, shown } = keyColumns[key];
    return String(row[shown === name ? name : `${name}_shown`]);
  });
}

const counts: ReadonlySet<string> = new Set(['calls', 'errors']);
const sumNames = Object.keys(breakdownSums) as readonly BreakdownSum[];

function rowOf(asked: Asked, row: Stored): Breakdown['rows'][number] {
  const keys = keysOf(asked.by, row);
  const keyed = asked.by.map((key, index) => [keyColumns[key].name, keys[index] ?? '']);
  const sums = sumNames.map((name) => [name, figure(name, String(row[`${name}_sum`]))]);
  const spread = asked.quantiles.map((name) => [name === 'latency' ? 'latency_ms' : 'cost_usd_each', row[`s_${name}`]]);
  const marks = spread.map(([name, values]) => [name, marksOf(values)]);
  return Object.fromEntries([...keyed, ...sums, ...marks]) as Breakdown['rows'][number];
}

/** p50, p95 and p99; of no values each is null. */
function marksOf(values: unknown): QuantileRow {
  const [p50 = null, p95 = null, p99 = null] = (Array.isArray(values) ? values : []) as (number | null)[];
  return [p50, p95, p99];
}

function figure(name: BreakdownSum, text: string): string | number {
  return counts.has(name) ? Number(text) : text;
}

/** All groups from the page's first on, without those that it shows; exact. */
function restOf(last: Stored, shown: readonly Stored[]): UsageSumsRow {
  const sums = sumNames.map((name) => {
    const all = String(last[`all_${name}_sum`]);
    const parts = shown.map((row) => String(row[`${name}_sum`]));
    if (name === 'cost_usd') return [name, fromPico(parts.reduce((left, part) => left - toPico(part), toPico(all)))];
    return [name, figure(name, parts.reduce((left, part) => left - BigInt(part), BigInt(all)).toString())];
  });
  return Object.fromEntries(sums) as UsageSumsRow;
}

function valueOf(order: BreakdownOrder, row: Stored): string {
  return order === 'key' ? '' : String(row[`${order === 'cost' ? 'cost_usd' : order}_sum`]);
}

/** Pages are of one question: a cursor says of which. */
function questionOf({ cursor: _cursor, limit: _limit, ...asked }: Asked, order: BreakdownOrder): string {
  return createHash('sha256')
    .update(JSON.stringify([asked, order]))
    .digest('base64url')
    .slice(0, 16);
}

function writeCursor(of: string, value: string, keys: readonly string[]): string {
  return Buffer.from(JSON.stringify({ of, value, keys })).toString('base64url');
}

function readCursor(
  text: string,
  of: string,
  by: readonly BreakdownKey[],
  order: BreakdownOrder,
): Readonly<Record<string, string>> {
  const bad = wrong('cursor', 'is not one that a page of this question gave');
  let said: unknown;
  try {
    said = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw bad;
  }
  const read = place.safeParse(said);
  if (!read.success || read.data.of !== of || read.data.keys.length !== by.length || by.length === 0) throw bad;
  const { value, keys } = read.data;
  if (order !== 'key' && !(order === 'cost' ? /^\d{1,26}(\.\d{1,12})?$/ : /^\d{1,19}$/).test(value)) throw bad;
  const after = keys.map((key, index) => [`after_${index}`, boundKey(by[index], key) ?? fail(bad)]);
  return Object.fromEntries(order === 'key' ? after : [...after, ['after_value', value]]) as unknown as Record<
    string,
    string
  >;
}

/** A key as it is bound; undefined if it cannot be one. */
function boundKey(key: BreakdownKey | undefined, text: string): string | undefined {
  if (key === 'day') return /^\d{4}-\d\d-\d\d$/.test(text) ? text : undefined;
  if (key === 'hour')
    return /^\d{4}-\d\d-\d\dT\d\d:00:00Z$/.test(text) ? text.slice(0, 19).replace('T', ' ') : undefined;
  return text;
}

function fail(error: NetraError): never {
  throw error;
}

const tooManyRows = 158;

function refuseTooMany(error: unknown): never {
  if (error instanceof Error && 'number' in error && error.number === tooManyRows) {
    throw wrong('by', 'makes more than 500,000 groups: ask for fewer keys, a shorter range, or filter');
  }
  throw error;
}

function wrong(field: string, problem: string): NetraError {
  return new NetraError('invalid_request', `${field} ${problem}`, { fields: [`${field}: ${problem}`] });
}
