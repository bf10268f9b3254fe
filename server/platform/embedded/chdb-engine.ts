import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';

interface Result {
  readonly elapsed: number;
  readonly rowsRead: number;
  bytes(): Uint8Array;
}

interface Session {
  queryAsync(text: string, options?: { readonly format?: string }): Promise<Result>;
  close(): void;
}

interface Chdb {
  readonly Session: new (path: string, options?: { readonly connectionArgs?: readonly string[] }) => Session;
  version(): { readonly libchdb: string };
  drainPending(): Promise<void>;
}

export interface EngineQuery {
  readonly text: string;
  readonly database: string;
  /** Session settings and bound parameters (`param_x`), by name. */
  readonly settings: Readonly<Record<string, string>>;
  readonly format: string;
  /** Aborted when the caller has gone: the query is killed, else it would run on and hold a place. */
  readonly signal: AbortSignal;
}

/** An error of the engine by ClickHouse's number (https://clickhouse.com/codes). */
export class EngineError extends Error {
  readonly number: number;

  constructor(message: string, number: number) {
    super(message);
    this.number = number;
  }
}

export interface Engine {
  readonly version: string;
  run(
    query: EngineQuery,
  ): Promise<{ readonly body: Uint8Array; readonly rows_read: number; readonly elapsed_ms: number }>;
  close(): Promise<void>;
}

// Seen on 2 cores: more at once only take each other's time. Each holds a thread of libuv's pool while it runs.
const maxRunning = 4;
const maxWaiting = 512;
const tooManyQueries = 202;
const cancelled = 394;

/** Loads the library (0.3 s) and opens the data folder, which the engine locks against a second process. */
export function openEngine(path: string): Engine {
  const require = createRequire(import.meta.url);
  const chdb = require('chdb') as Chdb;
  // Keeps the engine up between queries: it ends with its last session.
  const keeper = new chdb.Session(path);
  const admit = gate();

  const run = async (query: EngineQuery) => {
    const leave = await admit(query.signal);
    // A session per query (0.2 ms) so that no setting, parameter or database leaks into the next one.
    const session = new chdb.Session(path);
    try {
      await session.queryAsync(preamble(query));
      return await runMarked(session, query, () => new chdb.Session(path));
    } catch (error) {
      throw engineError(error);
    } finally {
      session.close();
      leave();
    }
  };

  return {
    version: chdb.version().libchdb.replaceAll('"', ''),
    run,
    close: async () => {
      keeper.close();
      await chdb.drainPending();
    },
  };
}

async function runMarked(session: Session, query: EngineQuery, open: () => Session) {
  const mark = `/* netra:${randomUUID()} */`;
  let done = false;
  const kill = async (): Promise<void> => {
    // Until it is gone: the first may come before the query has begun, and then finds nothing to kill.
    for (let wait_ms = 20; !done; wait_ms = Math.min(1_000, wait_ms * 2)) {
      // From a session of its own: the busy one waits for its query.
      const killer = open();
      await killer.queryAsync(`kill query where startsWith(query, '${mark}') async`).catch(() => undefined);
      killer.close();
      await pause(wait_ms);
    }
  };
  const onAbort = (): void => void kill();
  query.signal.addEventListener('abort', onAbort, { once: true });
  try {
    query.signal.throwIfAborted();
    const result = await session.queryAsync(`${mark} ${query.text}`, { format: query.format });
    return { body: result.bytes(), rows_read: result.rowsRead, elapsed_ms: result.elapsed * 1_000 };
  } finally {
    done = true;
    query.signal.removeEventListener('abort', onAbort);
  }
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function preamble({ database, settings }: EngineQuery): string {
  const pairs = Object.entries(settings).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new EngineError(`Code: 115. DB::Exception: Unknown setting. (UNKNOWN_SETTING)`, 115);
    return `${name} = ${quoted(value)}`;
  });
  const use = `use \`${database.replaceAll('`', '')}\``;
  return pairs.length === 0 ? use : `${use}; set ${pairs.join(', ')}`;
}

function engineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const number = /Code: (\d+)/.exec(message)?.[1];
  return new EngineError(message, number === undefined ? cancelled : Number(number));
}

/** Lets `maxRunning` in at once and `maxWaiting` wait; a waiter that has gone gives its place up. */
function gate(): (signal: AbortSignal) => Promise<() => void> {
  let running = 0;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    running -= 1;
    waiting.shift()?.();
  };
  return async (signal) => {
    if (running >= maxRunning) {
      if (waiting.length >= maxWaiting) {
        throw new EngineError(
          'Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)',
          tooManyQueries,
        );
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      await promise;
    }
    running += 1;
    if (signal.aborted) {
      leave();
      throw new EngineError('Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)', cancelled);
    }
    return leave;
  };
}
