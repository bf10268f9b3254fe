import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Session } from '@netra/contract';

const entry = join(dirname(dirname(fileURLToPath(import.meta.url))), 'server', 'main.ts');

/** A real server on a data folder of its own, in a process of its own, as an operator starts it. */
export interface BenchHouse {
  readonly url: string;
  readonly ws: string;
  readonly pid: number;
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  /** A new organisation on the enterprise plan, and a token of its owner. */
  signUp(): Promise<Session>;
  close(): Promise<void>;
}

export async function startHouse(): Promise<BenchHouse> {
  const data = await mkdtemp(join(tmpdir(), 'netra-bench-'));
  const stores = await startChild(['stores', '--data', data], {});
  const { postgres_url = '', clickhouse_url = '' } = stores.ready;
  const server = await startChild(['start', '--port', '0', '--data', data], {
    NETRA_POSTGRES_URL: postgres_url,
    NETRA_CLICKHOUSE_URL: clickhouse_url,
    NETRA_SIGNUP_PLAN: 'enterprise',
    NETRA_REHEARSAL: 'on',
    NETRA_LOG_LEVEL: 'warn',
  });
  const { url = '', ws = '' } = server.ready;
  return {
    url,
    ws,
    pid: server.child.pid ?? 0,
    postgres_url,
    clickhouse_url,
    signUp: () => signUp(url),
    close: async () => {
      await server.stop();
      await stores.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

async function signUp(url: string): Promise<Session> {
  const name = randomUUID();
  const response = await fetch(`${url}/v1/auth/sign-up`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: `${name}@bench.invalid`, password: name, org: `bench ${name}` }),
  });
  if (!response.ok) throw new Error(`sign-up: ${response.status} ${await response.text()}`);
  return (await response.json()) as Session;
}

interface Child {
  readonly child: ChildProcess;
  readonly ready: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

async function startChild(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Child> {
  const child = spawn(process.execPath, [entry, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ready = await new Promise<Record<string, string>>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    child.once('exit', (code) => reject(new Error(`netra ${args[0] ?? ''} ended with ${String(code)}`)));
  });
  return {
    child,
    ready,
    stop: async () => {
      child.kill('SIGTERM');
      await gone;
    },
  };
}
