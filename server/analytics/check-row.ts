import { plainNumber } from './plain-number.ts';
import { readCallColumns, type CallColumns } from './call-columns.ts';
import { plainColumns, usageColumns, type UsageColumn } from './schemas.ts';
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
  readonly cache_write_tokens?: number;
  readonly reasoning_tokens?: number;
}) => { readonly cost_usd: string; readonly price_book: string };

/** A row as ClickHouse takes it: what the file lacks is what the table has by default. */
export interface CheckedRow {
  readonly at: string;
  readonly user_id: string;
  readonly agent: string;
  readonly feature: string;
  readonly model: string;
  readonly input_tokens: number;
  readonly cached_input_tokens: number;
  readonly output_tokens: number;
  readonly cost_usd: string;
  readonly price_book: string;
  readonly status: string;
  readonly error: string;
  readonly latency_ms: number | null;
  readonly request_id: string;
  readonly prompt_hash: string;
  readonly prefix_hash: string;
  readonly prefix_tokens: number;
  readonly retry_of: string;
  /** Null where the file has none of these columns. */
  readonly call: CallColumns | null;
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
  const row = emptyRow();
  return (
    readTime(values, row) ??
    readTokens(values, row) ??
    readTexts(values, row, rules) ??
    readMore(values, row) ??
    readOutcome(values, row) ??
    readCost(values, row, rules) ??
    row
  );
}

type Row = { -readonly [Column in keyof CheckedRow]: CheckedRow[Column] };

/** All rows have one shape, which is what makes reading and writing their columns fast. */
function emptyRow(): Row {
  return {
    at: '',
    user_id: '',
    agent: '',
    feature: '',
    model: '',
    input_tokens: 0,
    cached_input_tokens: 0,
    output_tokens: 0,
    cost_usd: '',
    price_book: '',
    status: 'ok',
    error: '',
    latency_ms: null,
    request_id: '',
    prompt_hash: '',
    prefix_hash: '',
    prefix_tokens: 0,
    retry_of: '',
    call: null,
  };
}

function readTime(values: readonly string[], row: Row): string | undefined {
  const text = value(values, 'time');
  const at = parseTime(text);
  if (at === undefined) return text === '' ? 'time is empty' : `time is not a date and time: ${show(text)}`;
  if (at < earliest || at >= latest) return `time is not between ${earliest} and ${latest}: ${show(text)}`;
  row.at = at;
  return undefined;
}

function readTokens(values: readonly string[], row: Row): string | undefined {
  const input = tokens(values, 'input_tokens');
  if (typeof input === 'string') return input;
  const output = tokens(values, 'output_tokens');
  if (typeof output === 'string') return output;
  const cached = tokens(values, 'cached_input_tokens', 0);
  if (typeof cached === 'string') return cached;
  if (cached > input) return `cached_input_tokens (${cached}) is more than input_tokens (${input})`;
  row.input_tokens = input;
  row.output_tokens = output;
  row.cached_input_tokens = cached;
  const prefix = tokens(values, 'prefix_tokens', 0);
  if (typeof prefix === 'string') return prefix;
  row.prefix_tokens = prefix;
  return undefined;
}

function tokens(values: readonly string[], column: UsageColumn, ifEmpty?: number): number | string {
  const text = value(values, column);
  const plain = plainNumber(text);
  const count = plain === undefined && wholeNumber.test(text) ? Number(text) : plain;
  if (count !== undefined) return count <= maxTokens ? count : tooMany(column, text);
  if (text === '') return ifEmpty ?? `${column} is empty`;
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
    if (text.length > maxTextLength) return `${column} is longer than ${maxTextLength} characters`;
    row[name] = text;
  }
  if (rules.user !== undefined && row.user_id === '') row.user_id = rules.user;
  const model = value(values, 'model') || (rules.model ?? '');
  if (model === '') return 'model is empty';
  if (model.length > maxTextLength) return `model is longer than ${maxTextLength} characters`;
  row.model = model;
  return undefined;
}

function readMore(values: readonly string[], row: Row): string | undefined {
  if (values.length <= plainColumns.length) return undefined;
  const call = readCallColumns((column) => value(values, column), row);
  if (typeof call === 'string') return call;
  row.call = call;
  return undefined;
}

function readOutcome(values: readonly string[], row: Row): string | undefined {
  const status = value(values, 'status').toLowerCase();
  const failed = status === '' ? row.error !== '' : status !== 'ok' && status !== 'success' && status !== '200';
  if (failed) row.status = 'error';
  if (failed && row.error === '') row.error = status.slice(0, maxTextLength);
  const latency = value(values, 'latency_ms');
  if (latency === '') return undefined;
  const ms = plainNumber(latency) ?? Number(latency);
  if (!(ms >= 0 && ms <= 4_294_967_295)) return `latency_ms is not a number of milliseconds: ${show(latency)}`;
  row.latency_ms = Math.round(ms);
  return undefined;
}

function readCost(values: readonly string[], row: Row, rules: RowRules): string | undefined {
  const given = value(values, 'cost_usd');
  if (given !== '') {
    if (!decimal.test(given)) return `cost_usd is not an amount of US dollars with at most 12 decimals: ${show(given)}`;
    row.cost_usd = given;
    row.price_book = 'given';
    return undefined;
  }
  try {
    const { cost_usd, price_book } = rules.rate(row.call === null ? row : { ...row, ...row.call });
    row.cost_usd = cost_usd;
    row.price_book = price_book;
    return undefined;
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
