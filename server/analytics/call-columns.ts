import { callColumns, type UsageColumn } from './schemas.ts';
import { plainNumber } from './plain-number.ts';

const texts = [
  'provider',
  'response_model',
  'operation',
  'finish_reason',
  'service_tier',
  'service',
  'conversation_id',
  'trace_id',
  'span_id',
  'parent_span_id',
] as const;
const parts = ['cache_write_tokens', 'reasoning_tokens'] as const;
const numbers = ['first_token_ms', 'max_output_tokens'] as const;
const flags = ['batch', 'streamed'] as const;
const maxTextLength = 512;
const largest: Readonly<Record<(typeof numbers)[number], number>> = {
  first_token_ms: 4_294_967_295,
  max_output_tokens: 1_000_000_000_000,
};

/** What a call tells beyond the plain columns, as ClickHouse takes it: flags as text, null = not told. */
export type CallColumns = Readonly<
  Record<(typeof texts)[number] | (typeof flags)[number], string> &
    Record<(typeof parts)[number], number> &
    Record<(typeof numbers)[number], number | null>
>;
type Call = { -readonly [Column in keyof CallColumns]: CallColumns[Column] };

/** Their order in a stored row. */
export const storedCallColumns = callColumns;

/** A call that tells nothing more. */
export const noCall: CallColumns = {
  provider: '',
  response_model: '',
  operation: '',
  cache_write_tokens: 0,
  reasoning_tokens: 0,
  first_token_ms: null,
  max_output_tokens: null,
  finish_reason: '',
  batch: 'false',
  streamed: 'false',
  service_tier: '',
  service: '',
  conversation_id: '',
  trace_id: '',
  span_id: '',
  parent_span_id: '',
};

type Counted = Readonly<Record<'input_tokens' | 'cached_input_tokens' | 'output_tokens', number>>;

/** These columns of a row, or why they cannot be kept. Parts of a count must not be more than it. */
export function readCallColumns(value: (column: UsageColumn) => string, row: Counted): CallColumns | string {
  const call: Call = { ...noCall };
  for (const column of texts) {
    const text = value(column);
    if (text.length > maxTextLength) return `${column} is longer than ${maxTextLength} characters`;
    call[column] = text;
  }
  for (const column of flags) call[column] = /^(?:1|true|yes)$/i.test(value(column)) ? 'true' : 'false';
  for (const column of [...parts, ...numbers]) {
    const text = value(column);
    if (text === '') continue;
    const number = plainNumber(text) ?? Math.round(Number(text));
    if (!(number >= 0 && number <= (column === 'first_token_ms' ? largest[column] : largest.max_output_tokens)))
      return `${column} is not a whole number: ${JSON.stringify(text.slice(0, 40))}`;
    call[column] = number;
  }
  return faultOf(call, row) ?? call;
}

function faultOf(call: CallColumns, row: Counted): string | undefined {
  const { cache_write_tokens: written, reasoning_tokens: reasoning } = call;
  if (row.cached_input_tokens + written > row.input_tokens)
    return `cached_input_tokens (${row.cached_input_tokens}) and cache_write_tokens (${written}) are more than input_tokens (${row.input_tokens})`;
  if (reasoning > row.output_tokens)
    return `reasoning_tokens (${reasoning}) is more than output_tokens (${row.output_tokens})`;
  return undefined;
}
