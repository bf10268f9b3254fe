import { isErrorCode, NetraError, type ErrorCode } from '@netra/contract';
import type { Tokens } from './tokens.ts';

/** One REST request. */
export interface Request {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly upload?: { readonly type: string; readonly content: Upload };
  readonly idempotency_key?: string;
  readonly signal?: AbortSignal;
}

/** Anything fetch can send. Node also takes an async iterable of bytes, e.g. a file's read stream. */
export type Upload = string | Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Speaks REST; refusals come back as NetraError. */
export class Rest {
  readonly #url: string;
  readonly #tokens: () => Tokens;

  constructor(url: string, tokens: () => Tokens) {
    this.#url = url.replace(/\/+$/, '');
    this.#tokens = tokens;
  }

  /** Without a token: for signing in. */
  async anonymous<Answer>(request: Request): Promise<Answer> {
    return read<Answer>(await this.#send(request));
  }

  /** With the caller's token; one that has just ended is renewed, once. */
  async send<Answer>(request: Request): Promise<Answer> {
    return read<Answer>(await this.#authorised(request));
  }

  /** The lines of an answer as they come, each parsed; leaving the loop ends the request. */
  async *lines<Line>(request: Request): AsyncGenerator<Line, void> {
    const response = await this.#authorised(request);
    if (!response.ok || response.body === null) throw refusalOf(response, await response.text());
    let rest = '';
    for await (const text of piecesOf(response.body.pipeThrough(new TextDecoderStream()))) {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as Line; // as the server wrote it
    }
    if (rest !== '') throw brokenOff();
  }

  async #authorised(request: Request): Promise<Response> {
    const tokens = this.#tokens();
    const response = await this.#send(request, await tokens.get());
    // A stream that was sent is gone: only what can be sent again is.
    if (response.status !== 401 || !tokens.canRenew || request.upload) return response;
    await response.body?.cancel();
    return this.#send(request, await tokens.get(true));
  }

  async #send(request: Request, token?: string): Promise<Response> {
    const { method = 'GET', path, query = {}, body, upload, idempotency_key, signal } = request;
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (Array.isArray(value)) for (const each of value as readonly string[]) search.append(name, each);
      else if (value !== undefined) search.set(name, String(value));
    }
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (idempotency_key !== undefined) headers['idempotency-key'] = idempotency_key;
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (upload) headers['content-type'] = upload.type;
    const init: RequestInit & { duplex?: 'half' } = { method, headers };
    if (body !== undefined) init.body = JSON.stringify(body);
    if (upload) {
      init.body = upload.content as NonNullable<RequestInit['body']>; // Node's fetch takes async iterables too
      init.duplex = 'half'; // a body that is a stream must say so (Fetch §5.4)
    }
    if (signal) init.signal = signal;
    try {
      return await fetch(`${this.#url}${path}${search.size > 0 ? `?${search.toString()}` : ''}`, init);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new NetraError('unavailable', 'The server could not be reached.', {}, { cause: error });
    }
  }
}

/** By its reader: not every browser's stream can be looped over. */
async function* piecesOf(stream: ReadableStream<string>): AsyncGenerator<string, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw brokenOff(error);
  } finally {
    // It may have ended, or broken already: then there is nothing left to cancel.
    await reader.cancel().catch(() => undefined);
  }
}

function brokenOff(cause?: unknown): NetraError {
  return new NetraError('unavailable', 'The answer was broken off.', {}, { cause });
}

async function read<Answer>(response: Response): Promise<Answer> {
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as Answer; // the server checks its answers against the same schemas
  throw refusalOf(response, text);
}

/** A refusal as the error it is on the server; an answer that is not ours by its status. */
function refusalOf(response: Response, text: string): NetraError {
  const { code, detail, ...facts } = parseObject(text);
  const retry_after_s = Number(response.headers.get('retry-after') ?? Number.NaN);
  const more = Number.isNaN(retry_after_s) ? {} : { retry_after_ms: retry_after_s * 1000 };
  const message = typeof detail === 'string' ? detail : `The server answered ${response.status}.`;
  return new NetraError(isErrorCode(code) ? code : codeOfStatus(response.status), message, { ...facts, ...more });
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 429) return 'rate_limited';
  if (status < 500) return 'invalid_request';
  return status === 500 ? 'internal' : 'unavailable';
}
