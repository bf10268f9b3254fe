import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NetraError } from '@netra/contract';
import { freePort } from './free-port.ts';
import { endProcess, isAlive, processRef, until, type ProcessRef } from './processes.ts';
import type { StoresKeys, StoreState } from './stores-state.ts';

export const clickhouseUser = 'netra';
const startTimeoutMs = 60_000;

export const stateFile = (data_dir: string): string => join(data_dir, 'clickhouse.json');
const logFile = (data_dir: string): string => join(data_dir, 'logs', 'clickhouse.log');

export function clickhouseUrl(port: number, keys: StoresKeys): string {
  return `http://${clickhouseUser}:${keys.clickhouse_key}@127.0.0.1:${port}/netra`;
}

/** The child that serves this folder, whoever started it, if it answers with our key. */
export async function findRunningClickHouse(data_dir: string, keys: StoresKeys): Promise<StoreState | null> {
  const running = readRunning(data_dir);
  if (running === null) return null;
  const answered = await until(10_000, async () => !isAlive(running) || (await answers(running.port, keys)));
  return answered && isAlive(running) ? running : null;
}

function readRunning(data_dir: string): StoreState | null {
  try {
    const state = JSON.parse(readFileSync(stateFile(data_dir), 'utf8')) as StoreState;
    return isAlive(state) ? state : null;
  } catch {
    return null;
  }
}

async function answers(port: number, keys: StoresKeys): Promise<boolean> {
  const authorization = `Basic ${Buffer.from(`${clickhouseUser}:${keys.clickhouse_key}`).toString('base64')}`;
  try {
    const response = await fetch(`http://127.0.0.1:${port}/?query=select%201`, {
      headers: { authorization, connection: 'close' },
      signal: AbortSignal.timeout(5_000),
    });
    return (await response.text()).trim() === '1';
  } catch {
    return false;
  }
}

/** Starts the child on this folder. Call it under the folder's lock. */
export async function startClickHouse(
  data_dir: string,
  keys: StoresKeys,
  wanted_port: number | undefined,
): Promise<StoreState> {
  requireChdb();
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const port = await freePort(wanted_port);
    const ref = launch(data_dir, port);
    // Its state file, not the port: another child may have won the engine's lock on the folder a moment before.
    const served = await until(startTimeoutMs, () => !isAlive(ref) || readRunning(data_dir) !== null);
    const running = served ? await findRunningClickHouse(data_dir, keys) : null;
    if (running) return running;
    await endProcess(ref, { signal: 'SIGTERM', last: 'SIGKILL', timeout_ms: 5_000 });
  }
  throw new NetraError('unavailable', `The embedded ClickHouse does not start; see ${logFile(data_dir)}`);
}

function requireChdb(): void {
  try {
    createRequire(import.meta.url).resolve('chdb');
  } catch {
    throw new NetraError(
      'unavailable',
      'No embedded ClickHouse for this machine (chdb): set NETRA_CLICKHOUSE_URL to a ClickHouse server',
    );
  }
}

function launch(data_dir: string, port: number): ProcessRef {
  const entry = fileURLToPath(new URL('./chdb-server.ts', import.meta.url));
  const log = openSync(logFile(data_dir), 'a', 0o600);
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, data_dir, String(port)], {
    cwd: data_dir,
    // Its own session: Ctrl-C in a terminal reaches the server that drains, not the store it drains into.
    detached: true,
    stdio: ['ignore', log, log],
    // Queries hold threads of libuv's pool: 4 for them, the rest for the spooled bodies.
    // Nothing of ours, so that no secret of the server stands in another process's environment.
    env: { TZ: 'UTC', UV_THREADPOOL_SIZE: '8' },
  });
  closeSync(log);
  child.on('error', () => undefined);
  child.unref();
  const ref = child.pid === undefined ? null : processRef(child.pid);
  if (ref === null)
    throw new NetraError('unavailable', `The embedded ClickHouse does not start; see ${logFile(data_dir)}`);
  return ref;
}

/** Ends it once the running queries are done. */
export async function stopClickHouse(state: StoreState): Promise<void> {
  await endProcess(state, { signal: 'SIGTERM', last: 'SIGKILL', timeout_ms: 10_000 });
}
