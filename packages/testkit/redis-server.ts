import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { findProgram } from './program.ts';

export interface RedisServer {
  readonly redis_url: string;
  /** The server's own process id, for tests that kill it. */
  readonly pid: number;
  close(): Promise<void>;
}

/**
 * Starts a Redis on a loopback port, a free one if none is named, with nothing on disk. Finds redis-server, or installs
 * it where it may.
 */
export async function openRedisServer(options: { readonly port?: number } = {}): Promise<RedisServer> {
  const program = findProgram('redis-server');
  const port = options.port ?? (await freePort());
  const data = await mkdtemp(join(tmpdir(), 'netra-redis-'));
  // The shell lives as long as our end of its stdin, so Redis goes even if this process is killed.
  const script = '"$@" >/dev/null & pid=$!; echo $pid; cat >/dev/null; kill $pid; wait $pid';
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', data];
  const shell = spawn('sh', ['-c', script, 'sh', program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => shell.once('close', () => resolve()));
  const pid = await new Promise<number>((resolve) =>
    shell.stdout.once('data', (said: Buffer) => resolve(Number(said))),
  );
  const close = async (): Promise<void> => {
    shell.stdin.end();
    await gone;
    await rm(data, { recursive: true, force: true });
  };
  try {
    await answers(port);
  } catch (error) {
    await close();
    throw error;
  }
  return { redis_url: `redis://127.0.0.1:${port}/`, pid, close };
}

/** A client of a test's own, for what the product never asks: flush it, fill it, watch it. The caller disconnects it. */
export function openRedisClient(redis_url: string): Redis {
  const client = new Redis(redis_url);
  // A server that a test has killed is no news.
  client.on('error', () => {});
  return client;
}

/** A port that was free a moment ago on the loopback address. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function answers(port: number): Promise<void> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  // ioredis reports each refused connection as an event as well; the poll below already sees it.
  client.on('error', () => {});
  try {
    await eventually('redis-server answers', async () => {
      if (client.status !== 'ready') await client.connect();
      return (await client.ping()) === 'PONG';
    });
  } finally {
    client.disconnect();
  }
}
