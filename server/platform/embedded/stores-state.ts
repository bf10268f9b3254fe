import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessRef } from './processes.ts';

export type StoreName = 'postgres' | 'clickhouse';

/** One running store: its process and where it answers. */
export interface StoreState extends ProcessRef {
  readonly port: number;
}

/** `stores.json`: who runs the stores of this data folder, and who uses them. Credentials are not in it. */
export interface StoresState {
  readonly stores: Readonly<Partial<Record<StoreName, StoreState>>>;
  /** The first user owns the stores: restarts one that dies, stops them when it is the last to leave. */
  readonly users: readonly ProcessRef[];
}

const empty: StoresState = { stores: {}, users: [] };

export function readState(data_dir: string): StoresState {
  try {
    return JSON.parse(readFileSync(join(data_dir, 'stores.json'), 'utf8')) as StoresState;
  } catch {
    // None yet, or cut by a crash of the machine: the stores themselves tell (postmaster.pid, clickhouse.json).
    return empty;
  }
}

/** Whole or not at all, so that a reader without the lock sees one or the other. */
export function writeFileWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}

export function writeState(data_dir: string, state: StoresState): void {
  writeFileWhole(join(data_dir, 'stores.json'), `${JSON.stringify(state, null, 2)}\n`);
}

/** Credentials of the embedded stores: random, made once, readable by the owner of the folder alone. */
export interface StoresKeys {
  readonly postgres_password: string;
  readonly clickhouse_key: string;
}

/** Reads or makes the keys. Call it under the folder's lock. */
export function keepKeys(data_dir: string): StoresKeys {
  const path = join(data_dir, 'stores.key.json');
  try {
    const keys = JSON.parse(readFileSync(path, 'utf8')) as StoresKeys;
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
    return keys;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const random = (): string => randomBytes(32).toString('base64url');
  const keys = { postgres_password: random(), clickhouse_key: random() };
  writeFileWhole(path, JSON.stringify(keys));
  return keys;
}

/** Makes the data folder, for this user alone. */
export function makeDataFolder(data_dir: string): void {
  mkdirSync(join(data_dir, 'logs'), { recursive: true, mode: 0o700 });
}
