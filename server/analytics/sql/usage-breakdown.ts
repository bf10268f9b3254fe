/**
 * Parts of the query behind GET /v1/usage. Keys, times and sums are written as the rollups of
 * migrations/clickhouse/0003_usage_rollups.up.sql write them, letter by letter: then ClickHouse answers from those, and
 * for parts without one, or where no rollup has what is asked, from the rows. Either way it is this text.
 */

/** How fine the range is cut: whole days, whole hours, or any moment, which no rollup can answer. */
export type Grain = 'day' | 'hour' | 'exact';

export const breakdownKeys = ['day', 'hour', 'user', 'agent', 'feature', 'provider', 'model'] as const;
export type BreakdownKey = (typeof breakdownKeys)[number];

interface Column {
  /** The field of a row of the answer. */
  readonly name: string;
  readonly type: string;
  readonly expression: (grain: Grain) => string;
  /** As it leaves. */
  readonly shown: string;
}

const plain = (name: string): Column => ({ name, type: 'String', expression: () => name, shown: name });

export const keyColumns: Readonly<Record<BreakdownKey, Column>> = {
  day: {
    name: 'day',
    type: 'Date',
    expression: (grain) => (grain === 'hour' ? 'toDate(toStartOfHour(at))' : 'toDate(at)'),
    shown: 'toString(day)',
  },
  hour: {
    name: 'hour',
    type: "DateTime('UTC')",
    expression: () => 'toStartOfHour(at)',
    shown: "formatDateTime(hour, '%Y-%m-%dT%H:00:00Z', 'UTC')",
  },
  user: plain('user_id'),
  agent: plain('agent'),
  feature: plain('feature'),
  provider: plain('provider'),
  model: plain('model'),
};

/** What is summed: its name in the groups, and its field in a row. */
export const breakdownSums = {
  calls: 'count()',
  errors: "countIf(status != 'ok')",
  input_tokens: 'sum(input_tokens)',
  cached_input_tokens: 'sum(cached_input_tokens)',
  cache_write_tokens: 'sum(cache_write_tokens)',
  output_tokens: 'sum(output_tokens)',
  reasoning_tokens: 'sum(reasoning_tokens)',
  cost_usd: 'sum(cost_usd)',
} as const;
export type BreakdownSum = keyof typeof breakdownSums;
const sumNames = Object.keys(breakdownSums) as readonly BreakdownSum[];

/** A sketch whose answer does not depend on the order of the rows, and is off by 1 % of the value at most. */
const quantileError = 0.01;
const spreads = {
  latency: `quantilesDD(${quantileError}, 0.5, 0.95, 0.99)(latency_ms)`,
  cost: `quantilesDD(${quantileError}, 0.5, 0.95, 0.99)(toFloat64(cost_usd))`,
} as const;
export type Spread = keyof typeof spreads;

/** How a range is bounded: by the expression that the rollup of that grain has. */
const bounds: Readonly<Record<Grain, (side: 'from' | 'to') => string>> = {
  day: (side) => `toDate(at) ${sign(side)} {${side}:Date}`,
  hour: (side) => `toStartOfHour(at) ${sign(side)} {${side}:DateTime('UTC')}`,
  exact: (side) => `at ${sign(side)} {${side}:DateTime64(7, 'UTC')}`,
};
const sign = (side: 'from' | 'to'): string => (side === 'from' ? '>=' : '<');

export function boundText(grain: Grain, side: 'from' | 'to'): string {
  return bounds[grain](side);
}

export function filterText(key: BreakdownKey): string {
  return `${keyColumns[key].name} in {${key}:Array(String)}`;
}

export type BreakdownOrder = 'key' | 'calls' | 'errors' | 'input_tokens' | 'output_tokens' | 'cost';
const orderColumn = (order: Exclude<BreakdownOrder, 'key'>): string => `g_${order === 'cost' ? 'cost_usd' : order}`;

export interface BreakdownShape {
  readonly keys: readonly BreakdownKey[];
  readonly grain: Grain;
  readonly order: BreakdownOrder;
  readonly spread: readonly Spread[];
  /** Only groups behind a place: `after_value` and `after_0`, `after_1` … are bound. */
  readonly paged: boolean;
}

// A group takes some 300 bytes: what is asked is answered within 500 MB and 20 s, or refused.
const limits = `settings max_execution_time = 20, max_memory_usage = 1000000000, max_rows_to_group_by = 500000,
  group_by_overflow_mode = 'throw'`;

/**
 * Continues after the `scoped` rows. Each row has its group's sums, and in `all_…` those of every group from its page's
 * first on, from which the caller takes what the page itself shows: the rest.
 */
export function breakdownText({ keys, grain, order, spread, paged }: BreakdownShape): string {
  const columns = keys.map((key) => keyColumns[key]);
  const names = columns.map(({ name }) => name);
  const keyed = columns.map((column) => aliased(column, grain));
  const group = columns.length === 0 ? '' : `\n  group by ${columns.map(({ name }) => name).join(', ')}`;
  const sums = sumNames.map((name) => `${breakdownSums[name]} as g_${name}`);
  const behind = paged ? `\n  where ${behindText(columns, order)}` : '';
  const by = order === 'key' ? names : [`${orderColumn(order)} desc`, ...names];
  const shown = columns.map(({ name, shown: text }) => (text === name ? name : `${text} as ${name}_shown`));
  const figures = sumNames.map(
    (name) => `toString(g_${name}) as ${name}_sum, toString(all_${name}) as all_${name}_sum`,
  );
  const marks = spread.map((name) => `s_${name}`);
  return `,
groups as (
  select ${[...keyed, ...sums].join(',\n    ')}
  from scoped${group}${columns.length === 0 ? '\n  having g_calls > 0' : ''}
),
page as (
  select *, ${sumNames.map((name) => `sum(g_${name}) over () as all_${name}`).join(',\n    ')}
  from groups${behind}${by.length === 0 ? '' : `\n  order by ${by.join(', ')}`}
  limit {limit:UInt32}
)${spreadText(columns, grain, spread)}
select ${[...shown, ...figures, ...marks].join(',\n  ')}
from page${joinText(names, spread)}${by.length === 0 ? '' : `\norder by ${by.join(', ')}`}
${limits}`;
}

function aliased({ name, expression }: Column, grain: Grain): string {
  const text = expression(grain);
  return text === name ? name : `${text} as ${name}`;
}

function behindText(columns: readonly Column[], order: BreakdownOrder): string {
  const left = columns.map(({ name }) => name).join(', ');
  const right = columns.map(({ type }, place) => `{after_${place}:${type}}`).join(', ');
  const later = `(${left}) > (${right})`;
  if (order === 'key') return later;
  const column = orderColumn(order);
  const bound = order === 'cost' ? '{after_value:Decimal(38, 12)}' : '{after_value:UInt64}';
  return `${column} < ${bound} or (${column} = ${bound} and ${later})`;
}

// From the rows: a sketch for each small group would be slower to merge than the rows are to read (10 million rows:
// 0.30 s from sketches of days, 0.11 s from the rows).
function spreadText(columns: readonly Column[], grain: Grain, spread: readonly Spread[]): string {
  if (spread.length === 0) return '';
  const keyed = columns.map((column) => aliased(column, grain));
  const marks = spread.map((name) => `${spreads[name]} as s_${name}`);
  const group = columns.length === 0 ? '' : `\n  group by ${columns.map(({ name }) => name).join(', ')}`;
  return `,
spread as (
  select ${[...keyed, ...marks].join(',\n    ')}
  from scoped${group}
)`;
}

function joinText(names: readonly string[], spread: readonly Spread[]): string {
  if (spread.length === 0) return '';
  return names.length === 0 ? ' cross join spread' : ` left join spread using (${names.join(', ')})`;
}
