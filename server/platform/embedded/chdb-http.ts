import { randomUUID, timingSafeEqual } from 'node:crypto';
import { createWriteStream, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { EngineError, type Engine } from './chdb-engine.ts';

export interface HttpOptions {
  readonly engine: Engine;
  readonly user: string;
  readonly key: string;
  /** Where request bodies of inserts wait: on disk, so that memory stays bounded however large they are. */
  readonly spool_dir: string;
}

/** What of the URL is not a setting of the query. */
const transport = new Set([
  'query', 'database', 'query_id', 'session_id', 'session_timeout', 'session_check', 'role', 'default_format', 'user', 'password',
  'compress', 'decompress', 'enable_http_compression', 'wait_end_of_query', 'buffer_size', 'send_progress_in_http_headers',
  'http_headers_progress_interval_ms', 'cancel_http_readonly_queries_on_client_close', 'quota_key', 'client_protocol_version',
]); // prettier-ignore

const maxTextBytes = 4 * 1024 * 1024;
// A caller that goes without closing its socket must not hold a place for ever.
const defaults = { max_execution_time: '300' };
/** `insert into t (…) format X` with the rows in the body. */
const insertShape = /^\s*insert\s+into\b/i;
const insertFormat = /\bformat\s+([A-Za-z]\w*)\s*;?\s*$/i;

/** ClickHouse's HTTP status for an exception; what its own server answers for the few that callers tell apart. */
function statusOf(number: number): number {
  if (number === 516 || number === 193) return 401;
  if ([60, 81, 46, 47, 36, 16].includes(number)) return 404;
  if ([62, 27, 6, 38, 41, 43, 53, 70, 72, 115, 117, 386, 456, 457].includes(number)) return 400;
  if (number === 159) return 408;
  if (number === 202) return 503;
  return 500;
}

function allowed(request: IncomingMessage, { user, key }: HttpOptions): boolean {
  const header = (name: string): string => String(request.headers[name] ?? '');
  const basic = /^Basic (\S+)$/.exec(header('authorization'))?.[1];
  const given = basic
    ? Buffer.from(basic, 'base64').toString()
    : `${header('x-clickhouse-user')}:${header('x-clickhouse-key')}`;
  const [left, right] = [Buffer.from(given), Buffer.from(`${user}:${key}`)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Answers the part of ClickHouse's HTTP interface that its official client uses (https://clickhouse.com/docs/interfaces/http). */
export function answerHttp(options: HttpOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const query_id = url.searchParams.get('query_id') ?? randomUUID();
    response.setHeader('X-ClickHouse-Query-Id', query_id);
    try {
      if (url.pathname === '/ping') {
        response.end('Ok.\n');
        return;
      }
      if (!allowed(request, options)) {
        throw new EngineError('Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)', 516);
      }
      await answerQuery(options, url.searchParams, request, response);
    } catch (error) {
      refuse(response, error);
    }
  };
}

function refuse(response: ServerResponse, error: unknown): void {
  const known =
    error instanceof EngineError
      ? error
      : new EngineError(`Code: 1001. DB::Exception: ${String(error)}. (STD_EXCEPTION)`, 1001);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.statusCode = statusOf(known.number);
  response.setHeader('X-ClickHouse-Exception-Code', String(known.number));
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  response.end(`${known.message}\n`);
}

async function answerQuery(
  options: HttpOptions,
  params: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const inUrl = params.get('query') ?? '';
  const database = params.get('database') ?? 'default';
  const format = params.get('default_format') ?? 'TabSeparated';
  const query = { database, format, settings: settingsOf(params), signal: gone.signal };
  const isInsert = insertShape.test(inUrl) && insertFormat.test(inUrl);
  const run = (text: string) => options.engine.run({ ...query, text });
  const result = isInsert
    ? await withSpooledBody(options, request, (file) =>
        run(inUrl.replace(insertFormat, `from infile '${file}' format $1`)),
      )
    : await run(inUrl + (await readText(request)));
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  const summary = {
    read_rows: String(result.rows_read),
    written_rows: isInsert ? String(result.rows_read) : '0',
    elapsed_ns: String(Math.round(result.elapsed_ms * 1e6)),
  };
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(summary));
  response.end(result.body);
}

function settingsOf(params: URLSearchParams): Record<string, string> {
  const settings = [...params].filter(([name]) => !transport.has(name));
  return { ...defaults, ...Object.fromEntries(settings) };
}

function decoded(request: IncomingMessage): NodeJS.ReadableStream {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return request;
  if (encoding === 'gzip') return request.pipe(createGunzip());
  throw new EngineError('Code: 354. DB::Exception: Only gzip is read. (INFLATE_FAILED)', 354);
}

/** The body goes to disk as it comes and is read from there by the engine's own parallel parser. */
async function withSpooledBody<T>(
  { spool_dir }: HttpOptions,
  request: IncomingMessage,
  work: (file: string) => Promise<T>,
): Promise<T> {
  const file = join(spool_dir, `${randomUUID()}.rows`);
  try {
    await pipeline(decoded(request), createWriteStream(file, { mode: 0o600 }));
    return await work(file.replaceAll('\\', '\\\\').replaceAll("'", "\\'"));
  } finally {
    rmSync(file, { force: true });
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size_bytes = 0;
  for await (const chunk of decoded(request)) {
    const bytes = Buffer.from(chunk);
    size_bytes += bytes.length;
    if (size_bytes > maxTextBytes)
      throw new EngineError('Code: 62. DB::Exception: Query text is too large. (SYNTAX_ERROR)', 62);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
