import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, textOf } from './child.ts';
import { plainEnvironment } from './environment.ts';
import { serverEntry } from './repository.ts';

/** A real server process, as an operator would start it. */
export interface TestServer {
  /** Base of the REST interface. */
  readonly url: string;
  /** Address of the WebSocket. */
  readonly ws: string;
  readonly pid: number;
  /** What it has logged so far, or the end of it. */
  log(): string;
  /** SIGTERM: drains, then ends. */
  stop(): Promise<void>;
  /** SIGKILL: ends in the middle of whatever it does. */
  kill(): Promise<void>;
}

/**
 * Starts a server on a free port and waits until it serves. `env` is its whole NETRA_* configuration; without a
 * `data` folder of the caller's it gets one that goes with it.
 */
export async function startServer(options: {
  readonly env: Readonly<Record<string, string>>;
  readonly data?: string;
  readonly port?: number;
  readonly deadline_ms?: number;
  /** Node's own arguments: what is loaded before the server is. */
  readonly node_args?: readonly string[];
}): Promise<TestServer> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'netra-server-')));
  const removeData = async (): Promise<void> => {
    if (options.data === undefined) await rm(data, { recursive: true, force: true });
  };
  const server = await startChild({
    args: [...(options.node_args ?? []), serverEntry, 'start', '--port', String(options.port ?? 0), '--data', data],
    env: plainEnvironment(options.env),
    type: 'ready',
    deadline_ms: options.deadline_ms ?? 60_000,
  }).catch(async (error: unknown) => {
    await removeData();
    throw error;
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await server.stop(signal);
    await removeData();
  };
  const pid = server.child.pid;
  if (pid === undefined) throw new Error('a running server has a process id');
  return {
    url: textOf(server.ready, 'url'),
    ws: textOf(server.ready, 'ws'),
    pid,
    log: server.stderr,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
