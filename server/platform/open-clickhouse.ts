import { Readable } from 'node:stream';
import { ClickHouseError as ServerError, createClient, type ClickHouseClient } from '@clickhouse/client';
import { NetraError } from '@netra/contract';
import type { ClickHouse } from './clickhouse.ts';
import { redact, type Log } from './log.ts';
import { networkErrors } from './network-errors.ts';

export interface ClickHouseOptions {
  readonly log: Log;
  readonly request_timeout_ms?: number;
  readonly max_connections?: number;
}

/** A statement that ClickHouse refused: its number (https://clickhouse.com/codes) and message, without the URL. */
export class ClickHouseError extends Error {
  readonly number: number;
  readonly type: string;

  constructor(message: string, number: number, type: string) {
    super(message);
    this.name = 'ClickHouseError';
    this.number = number;
    this.type = type;
  }
}

// A keep-alive socket that the server closed as we wrote shows up as one of these: asking again is right, once each.
const staleSocket = new Set(['ECONNRESET', 'EPIPE']);
const maxAttempts = 3;

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

function mapError(error: unknown): Error {
  if (error instanceof ServerError)
    return new ClickHouseError(redact(error.message), Number(error.code), error.type ?? '');
  const message = error instanceof Error ? error.message : String(error);
  if (networkErrors.has(codeOf(error)) || /timeout error|socket hang up/i.test(message)) {
    return new NetraError('unavailable', 'The analytics store cannot be reached; try again');
  }
  return new ClickHouseError(redact(message), 0, 'CLIENT');
}

async function asking<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!staleSocket.has(codeOf(error)) || attempt === maxAttempts) throw mapError(error);
    }
  }
}

/** JSON has no bigint; ClickHouse reads 64-bit integers from strings. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    // Only rows that hold a bigint pay for a replacer: it takes as long as the rest of the row.
    return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item));
  }
}

const settings = {
  // 64-bit integers and decimals as strings: JSON numbers lose exactness beyond 2^53.
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_decimals: 1,
  date_time_input_format: 'best_effort',
  date_time_output_format: 'iso',
  // A statement answers only once it is done on every replica.
  mutations_sync: '2',
  alter_sync: '2',
} as const;

const once = (token: string) => ({ insert_deduplicate: 1, insert_deduplication_token: token }) as const;

/** Opens a client on `url` (`http://user:key@host:port/database`). Connects on first use. */
export function openClickHouse(url: string, options: ClickHouseOptions): ClickHouse {
  const client: ClickHouseClient = createClient({
    url,
    application: 'netra',
    request_timeout: options.request_timeout_ms ?? 60_000,
    max_open_connections: options.max_connections ?? 10,
    clickhouse_settings: settings,
    json: { stringify },
    log: { level: 127 },
  });
  return {
    insert: ({ table, rows, token }) =>
      asking(async () => {
        if (rows.length === 0) return;
        await client.insert({
          table,
          values: [...rows],
          format: 'JSONEachRow',
          clickhouse_settings: once(token),
        });
      }),
    insertText: ({ table, columns: [first, ...others], format, body, token }) =>
      asking(async () => {
        if (body.length === 0) return;
        await client.insert({
          table,
          columns: [first, ...others],
          // One for each attempt: a stream can be read once.
          values: Readable.from([body], { objectMode: false }),
          format,
          clickhouse_settings: once(token),
        });
      }),
    query: <Row>(text: string, params: Readonly<Record<string, unknown>>) =>
      asking(async () => {
        const result = await client.query({ query: text, query_params: { ...params }, format: 'JSONEachRow' });
        return result.json<Row>();
      }),
    command: (text, params = {}) =>
      asking(async () => {
        await client.command({ query: text, query_params: { ...params } });
      }),
    close: () => client.close(),
  };
}
