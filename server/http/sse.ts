import { NetraError } from '@netra/contract';
import { once } from 'node:events';
import type { FastifyReply } from 'fastify';

/** Where a reader of a run's log stands. */
export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

/** An open `text/event-stream`. Writes wait for the reader, so a slow one holds one event here, not a queue. */
export interface EventStream {
  /** Ends when the reader goes away; pass it to the tail. */
  readonly signal: AbortSignal;
  /**
   * `data` is sent as one line of JSON. Without a cursor the event has no id: it is not one of the log. Without a type
   * it is a `message`, which is what other people's clients listen to.
   */
  write(event: { readonly type?: string; readonly data: unknown; readonly cursor?: Cursor }): Promise<void>;
  /** `data: [DONE]`, by which OpenAI's and the AI SDK's clients know a stream that was not cut. */
  done(): Promise<void>;
  end(): void;
}

/** Comments keep proxies from cutting a quiet stream, and find out that a reader is gone. */
const heartbeat_ms = 15_000;

/** Takes the connection over. From here on no status can be sent: refuse before. */
export function openEventStream(reply: FastifyReply, headers: Readonly<Record<string, string>> = {}): EventStream {
  reply.hijack();
  const raw = reply.raw;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store, no-transform',
    // nginx would otherwise hold events back until its buffer is full.
    'X-Accel-Buffering': 'no',
    ...headers,
  });
  raw.flushHeaders();
  const gone = new AbortController();
  // A reader that does not read gets no heartbeats either: they would pile up.
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(': alive\n\n');
  }, heartbeat_ms);
  heartbeat.unref();
  const { eventStreams } = reply.server;
  const end = (): void => void raw.end();
  // An EventSource waits so long before it asks again (HTML §9.2.6).
  const leave = (retry_ms: number): void => void raw.end(`retry: ${retry_ms}\n\n`);
  eventStreams.add(leave);
  raw.on('close', () => {
    eventStreams.delete(leave);
    clearInterval(heartbeat);
    gone.abort();
  });
  raw.on('error', () => gone.abort());
  const send = async (text: string): Promise<void> => {
    if (gone.signal.aborted || raw.write(text)) return;
    // It rejects only where the reader went, or the connection broke: nobody is left to be told, and `gone` ends the tail.
    await once(raw, 'drain', { signal: gone.signal }).catch(() => gone.abort());
  };
  return {
    signal: gone.signal,
    write({ type, data, cursor }) {
      const id = cursor ? `id: ${cursor.epoch}:${cursor.seq}\n` : '';
      const event = type === undefined ? '' : `event: ${type}\n`;
      return send(`${id}${event}data: ${JSON.stringify(data)}\n\n`);
    },
    done: () => send('data: [DONE]\n\n'),
    end,
  };
}

/** The cursor of a reader that comes back: `Last-Event-ID: <epoch>:<seq>`; undefined if it has none. */
export function parseLastEventId(header: string | string[] | undefined): Cursor | undefined {
  if (header === undefined || header === '') return undefined;
  const match = typeof header === 'string' ? /^(\d{1,15}):(\d{1,15})$/.exec(header) : null;
  if (!match) throw new NetraError('invalid_request', 'Last-Event-ID must be <epoch>:<seq>, as it was sent.');
  return { epoch: Number(match[1]), seq: Number(match[2]) };
}
