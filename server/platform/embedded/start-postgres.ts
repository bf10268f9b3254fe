import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NetraError } from '@netra/contract';
import { Client } from 'pg';
import { freePort } from './free-port.ts';
import { findPostgres, type PostgresBinaries } from './postgres-binaries.ts';
import { endProcess, isAlive, processRef, until, type ProcessRef } from './processes.ts';
import { giveTo, postgresUser, type RunAs } from './run-as.ts';
import type { StoresKeys, StoreState } from './stores-state.ts';

// Not `netra`: a schema of the role's own name would come first in its search path, as on no other server.
const owner = 'netra_owner';
const database = 'netra';
const startTimeoutMs = 60_000;

export function postgresUrl(port: number, keys: StoresKeys): string {
  return `postgres://${owner}:${keys.postgres_password}@127.0.0.1:${port}/${database}`;
}

const folder = (data_dir: string): string => join(data_dir, 'postgres');

/** The server that runs on this folder, whoever started it, if it answers with our password; waits while it starts. */
export async function findRunningPostgres(data_dir: string, keys: StoresKeys): Promise<StoreState | null> {
  const running = postmaster(data_dir);
  if (running === null) return null;
  const answered = await until(startTimeoutMs, async () => !isAlive(running) || (await answers(running.port, keys)));
  return answered && isAlive(running) ? running : null;
}

/** postmaster.pid: line 1 the process, line 4 its port. Only a live process that works on this very folder counts. */
function postmaster(data_dir: string): StoreState | null {
  let lines: string[];
  try {
    lines = readFileSync(join(folder(data_dir), 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return null;
  }
  const [pid, home, , port] = lines;
  const ref = processRef(Number(pid));
  if (ref === null || home !== folder(data_dir) || !port || !isPostgres(ref)) return null;
  return { ...ref, port: Number(port) };
}

function isPostgres({ pid }: ProcessRef): boolean {
  if (process.platform !== 'linux') return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  } catch {
    return false;
  }
}

async function answers(port: number, keys: StoresKeys): Promise<boolean> {
  const client = new Client({
    connectionString: postgresUrl(port, keys).replace(/\/netra$/, '/postgres'),
    connectionTimeoutMillis: 2_000,
  });
  // Without a listener a connection that the starting server drops would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [database]);
    if (rowCount === 0) await client.query(`create database ${database}`);
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

// Small, but real: fsync stays on. Wal for one server alone, no compiler for short statements, no extra io processes.
const tuning = {
  shared_buffers: '256MB',
  max_connections: '200',
  wal_level: 'minimal',
  max_wal_senders: '0',
  wal_compression: 'on',
  max_wal_size: '1GB',
  checkpoint_timeout: '15min',
  jit: 'off',
  io_method: 'sync',
  random_page_cost: '1.1',
  max_prepared_transactions: '0',
  log_checkpoints: 'off',
  log_min_messages: 'warning',
  log_min_error_statement: 'panic',
  timezone: 'UTC',
  log_timezone: 'UTC',
  fsync: 'on',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
};

/** Starts the server on this folder, which is made first if there is none. Call it under the folder's lock. */
export async function startPostgres(
  data_dir: string,
  keys: StoresKeys,
  wanted_port: number | undefined,
): Promise<StoreState> {
  const binaries = findPostgres();
  const runAs = postgresUser([binaries.postgres, join(data_dir, 'postgres', 'PG_VERSION')]);
  if (!existsSync(folder(data_dir))) initialise(data_dir, keys, binaries, runAs);
  giveTo(runAs, folder(data_dir));
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const port = await freePort(wanted_port);
    const ref = launch(data_dir, port, binaries, runAs);
    const answered = await until(startTimeoutMs, async () => !isAlive(ref) || (await answers(port, keys)));
    if (answered && isAlive(ref)) return { ...ref, port };
    await endProcess(ref, { signal: 'SIGQUIT', last: 'SIGKILL', timeout_ms: 5_000 });
  }
  throw new NetraError('unavailable', `The embedded PostgreSQL does not start; see ${logFile(data_dir)}`);
}

// Nothing of ours: no PG* of a developer's shell bends the server, no secret of ours stands in its environment.
const cleanEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

const logFile = (data_dir: string): string => join(data_dir, 'logs', 'postgres.log');

function launch(data_dir: string, port: number, binaries: PostgresBinaries, runAs: RunAs): ProcessRef {
  const settings = Object.entries({ ...tuning, port: String(port) }).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`,
  ]);
  const log = openSync(logFile(data_dir), 'a', 0o600);
  const { command, args } = line(runAs, binaries.postgres, ['-D', folder(data_dir), ...settings]);
  // Its own session: Ctrl-C in a terminal reaches the server that drains, not the store it drains into.
  const child = spawn(command, args, {
    cwd: data_dir,
    env: cleanEnvironment,
    detached: true,
    stdio: ['ignore', log, log],
    ...plainIdentity(runAs),
  });
  closeSync(log);
  child.on('error', () => undefined);
  child.unref();
  const ref = child.pid === undefined ? null : processRef(child.pid);
  if (ref === null)
    throw new NetraError('unavailable', `The embedded PostgreSQL does not start; see ${logFile(data_dir)}`);
  return ref;
}

function line(runAs: RunAs, program: string, args: readonly string[]): { command: string; args: string[] } {
  const [command = program, ...rest] = [...runAs.prefix, program, ...args];
  return { command, args: rest };
}

function plainIdentity({ uid, gid, prefix }: RunAs): { uid?: number; gid?: number } {
  return prefix.length > 0 || uid === null || gid === null ? {} : { uid, gid };
}

/** initdb into a folder beside it, then renamed: killed half-way, the next start begins anew. */
function initialise(data_dir: string, keys: StoresKeys, binaries: PostgresBinaries, runAs: RunAs): void {
  const draft = `${folder(data_dir)}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  giveTo(runAs, draft);
  const options = [
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ];
  const password_file = join(data_dir, 'postgres.key');
  writeFileSync(password_file, keys.postgres_password, { mode: 0o600 });
  giveTo(runAs, password_file);
  const { command, args } = line(runAs, binaries.initdb, [
    '-D',
    draft,
    '-U',
    owner,
    `--pwfile=${password_file}`,
    ...options,
  ]);
  const { status, stderr } = spawnSync(command, args, {
    cwd: data_dir,
    env: cleanEnvironment,
    encoding: 'utf8',
    ...plainIdentity(runAs),
  });
  rmSync(password_file);
  if (status !== 0) throw new NetraError('unavailable', `initdb failed: ${stderr ?? 'not found'}`.trim());
  renameSync(draft, folder(data_dir));
}

/** Fast shutdown: open transactions roll back, a checkpoint is written. */
export async function stopPostgres(state: StoreState): Promise<void> {
  await endProcess(state, { signal: 'SIGINT', last: 'SIGQUIT', timeout_ms: 30_000 });
}
