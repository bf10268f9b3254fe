import { usageColumns, type UsageColumn } from './schemas.ts';
import { parseTime } from './usage-time.ts';

/** No real call has more; and sums of what is let in stay exact. */
export const maxTokens = 1_000_000_000_000;
const maxTextLength = 512;
const earliest = '2015-01-01';
const latest = '2100-01-01';

/** What a call costs: decimal US dollars with at most 12 places. Throws an Error whose message names the cause. */
export type RateCall = (call: {
  readonly model: string;
  /** UTC, `YYYY-MM-DD HH:MM:SS.fffffff`. */
  readonly at: string;
  readonly input_tokens: number;
  readonly cached_input_tokens: number;
  readonly output_tokens: number;
}) => { readonly cost_usd: string; readonly price_book: string };

/** A row as ClickHouse takes it; columns that the file lacks are left to the table's defaults. */
export interface CheckedRow {
  readonly at: string;
  readonly model: string;
  readonly input_tokens: number;
  readonly cached_input_tokens: number;
  readonly output_tokens: number;
  readonly cost_usd: string;
  readonly [column: string]: string | number | boolean;
}

export interface RowRules {
  readonly model: string | undefined;
  readonly user: string | undefined;
  readonly rate: RateCall;
}

const place = Object.fromEntries(usageColumns.map((column, at) => [column, at])) as Record<UsageColumn, number>;
/** Columns that are copied as they are. */
const texts = [
  ['user', 'user_id'],
  ['agent', 'agent'],
  ['feature', 'feature'],
  ['error', 'error'],
  ['request_id', 'request_id'],
  ['prompt_hash', 'prompt_hash'],
  ['prefix_hash', 'prefix_hash'],
  ['retry_of', 'retry_of'],
] as const;
const wholeNumber = /^\d{1,13}(?:\.0+)?$/;
const decimal = /^\d{1,20}(?:\.\d{1,12})?$/;

/** The row that these values make, or the reason why they make none. */
export function checkRow(values: readonly string[], rules: RowRules): CheckedRow | string {
  const row: Record<string, string | number | boolean> = {};
  const reason =
    readTime(values, row) ?? readTokens(values, row) ?? readTexts(values, row, rules) ?? readOutcome(values, row);
  if (reason !== undefined) return reason;
  return readCost(values, row as CheckedRow, rules);
}

type Row = Record<string, string | number | boolean>;

function readTime(values: readonly string[], row: Row): string | undefined {
  const text = value(values, 'time');
  const at = parseTime(text);
  if (at === undefined) return text === '' ? 'time is empty' : `time is not a date and time: ${show(text)}`;
  if (at < earliest || at >= latest) return `time is not between ${earliest} and ${latest}: ${show(text)}`;
  row['at'] = at;
  return undefined;
}

function readTokens(values: readonly string[], row: Row): string | undefined {
  const input = tokens(values, 'input_tokens');
  if (typeof input === 'string') return input;
  const output = tokens(values, 'output_tokens');
  if (typeof output === 'string') return output;
  const cached = value(values, 'cached_input_tokens') === '' ? 0 : tokens(values, 'cached_input_tokens');
  if (typeof cached === 'string') return cached;
  if (cached > input) return `cached_input_tokens (${cached}) is more than input_tokens (${input})`;
  row['input_tokens'] = input;
  row['output_tokens'] = output;
  row['cached_input_tokens'] = cached;
  if (value(values, 'prefix_tokens') === '') return undefined;
  const prefix = tokens(values, 'prefix_tokens');
  if (typeof prefix === 'string') return prefix;
  row['prefix_tokens'] = prefix;
  return undefined;
}

function tokens(values: readonly string[], column: UsageColumn): number | string {
  const text = value(values, column);
  if (wholeNumber.test(text)) {
    const count = Number(text);
    return count <= maxTokens ? count : tooMany(column, text);
  }
  if (text === '') return `${column} is empty`;
  if (/^-\d+(?:\.\d+)?$/.test(text)) return `${column} is negative: ${show(text)}`;
  if (/^\d+(?:\.0+)?$/.test(text)) return tooMany(column, text);
  return `${column} is not a whole number: ${show(text)}`;
}

function tooMany(column: UsageColumn, text: string): string {
  return `${column} is more than ${maxTokens}: ${show(text)}`;
}

function readTexts(values: readonly string[], row: Row, rules: RowRules): string | undefined {
  for (const [column, name] of texts) {
    const text = value(values, column);
    if (text === '') continue;
    if (text.length > maxTextLength) return `${column} is longer than ${maxTextLength} characters`;
    row[name] = text;
  }
  if (rules.user !== undefined && row['user_id'] === undefined) row['user_id'] = rules.user;
  const model = value(values, 'model') || (rules.model ?? '');
  if (model === '') return 'model is empty';
  if (model.length > maxTextLength) return `model is longer than ${maxTextLength} characters`;
  row['model'] = model;
  return undefined;
}

function readOutcome(values: readonly string[], row: Row): string | undefined {
  const status = value(values, 'status').toLowerCase();
  const failed =
    status === '' ? row['error'] !== undefined : status !== 'ok' && status !== 'success' && status !== '200';
  if (failed) row['status'] = 'error';
  if (failed && row['error'] === undefined) row['error'] = status.slice(0, maxTextLength);
  const latency = value(values, 'latency_ms');
  if (latency === '') return undefined;
  const ms = Number(latency);
  if (!(ms >= 0 && ms <= 4_294_967_295)) return `latency_ms is not a number of milliseconds: ${show(latency)}`;
  row['latency_ms'] = Math.round(ms);
  return undefined;
}

function readCost(values: readonly string[], row: CheckedRow, rules: RowRules): CheckedRow | string {
  const given = value(values, 'cost_usd');
  if (given !== '') {
    if (decimal.test(given)) return Object.assign(row, { cost_usd: given, price_book: 'given' });
    return `cost_usd is not an amount of US dollars with at most 12 decimals: ${show(given)}`;
  }
  try {
    return Object.assign(row, rules.rate(row));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function value(values: readonly string[], column: UsageColumn): string {
  return (values[place[column]] ?? '').trim();
}

/** Part of somebody’s file in an error: short, and with control characters escaped. */
function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
