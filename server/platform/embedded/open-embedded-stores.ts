import { join, resolve } from 'node:path';
import { realpathSync } from 'node:fs';
import type { Log } from '../log.ts';
import { self, withFolderLock } from './lock-folder.ts';
import { isAlive, type ProcessRef } from './processes.ts';
import { clickhouseUrl, findRunningClickHouse, startClickHouse, stopClickHouse } from './start-clickhouse.ts';
import { findRunningPostgres, postgresUrl, startPostgres, stopPostgres } from './start-postgres.ts';
import {
  keepKeys,
  makeDataFolder,
  readState,
  writeState,
  type StoreName,
  type StoresKeys,
  type StoresState,
  type StoreState,
} from './stores-state.ts';

export interface EmbeddedStoresOptions {
  readonly data_dir: string;
  readonly log: Log;
  readonly need: readonly StoreName[];
}

export interface EmbeddedStores {
  /** The owner's login; empty if PostgreSQL was not needed. */
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  /** Whether this process restarts a store that dies. Passes on to another user when the owner goes. */
  readonly owned: boolean;
  /** Leaves; the last user stops the stores. Call it after the pools are closed. */
  stop(): Promise<void>;
}

const watchEveryMs = 500;

const kinds = {
  postgres: { find: findRunningPostgres, start: startPostgres, stop: stopPostgres },
  clickhouse: { find: findRunningClickHouse, start: startClickHouse, stop: stopClickHouse },
} as const;

const sameProcess = (a: ProcessRef, b: ProcessRef): boolean => a.pid === b.pid && a.started === b.started;

/**
 * Makes sure that the stores of this data folder run, and says where. Invariants:
 * 1. At most one PostgreSQL and one chDB run on a folder: all starting and stopping is under the folder's lock, and
 *    running ones are found by the stores' own pid files, checked by start time and by an answer to our key. So
 *    what a `kill -9` orphaned is taken over.
 * 2. The first live user owns: it restarts a store that dies, on the same port. The others only use.
 * 3. The last user to leave stops the stores: ClickHouse first, the truth last.
 */
export async function openEmbeddedStores({
  data_dir: given,
  log,
  need,
}: EmbeddedStoresOptions): Promise<EmbeddedStores> {
  makeDataFolder(resolve(given));
  const data_dir = realpathSync(given);
  const me = self();
  const keys = await withFolderLock(data_dir, async () => {
    const made = keepKeys(data_dir);
    const users = [...readState(data_dir).users.filter((user) => isAlive(user) && !sameProcess(user, me)), me];
    const stores = await ensureRunning(data_dir, made, need, log);
    writeState(data_dir, { stores, users });
    return made;
  });
  const { stores } = readState(data_dir);
  const isOwner = (): boolean => isFirst(readState(data_dir), me);
  const watch = watchStores({ data_dir, log, need, keys, isOwner });
  return {
    postgres_url: stores.postgres ? postgresUrl(stores.postgres.port, keys) : '',
    clickhouse_url: stores.clickhouse ? clickhouseUrl(stores.clickhouse.port, keys) : '',
    get owned() {
      return isOwner();
    },
    stop: async () => {
      await watch.end();
      await leave(data_dir, me, log);
    },
  };
}

function isFirst({ users }: StoresState, me: ProcessRef): boolean {
  const first = users.find((user) => isAlive(user));
  return first !== undefined && sameProcess(first, me);
}

async function ensureRunning(
  data_dir: string,
  keys: StoresKeys,
  need: readonly StoreName[],
  log: Log,
): Promise<StoresState['stores']> {
  const before = readState(data_dir).stores;
  const ensure = async (name: StoreName): Promise<StoreState> => {
    const found = await kinds[name].find(data_dir, keys);
    if (found) return found;
    const begun_ms = performance.now();
    const started = await kinds[name].start(data_dir, keys, before[name]?.port);
    log.info({ store: name, port: started.port, took_ms: Math.round(performance.now() - begun_ms) }, 'store started');
    return started;
  };
  const entries = await Promise.all(need.map(async (name) => [name, await ensure(name)] as const));
  return { ...before, ...Object.fromEntries(entries) };
}

interface WatchOptions extends EmbeddedStoresOptions {
  readonly keys: StoresKeys;
  readonly isOwner: () => boolean;
}

/** While this process owns the stores, starts one that died again, on its port, so that every URL stays true. */
function watchStores({ data_dir, log, need, keys, isOwner }: WatchOptions): { end(): Promise<void> } {
  let ended = false;
  let busy: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    const { stores } = readState(data_dir);
    if (ended || need.every((name) => isAlive(stores[name])) || !isOwner()) return;
    log.warn({ stores: need.filter((name) => !isAlive(stores[name])) }, 'store died; starting it again');
    await withFolderLock(data_dir, async () => {
      if (ended) return;
      const running = await ensureRunning(data_dir, keys, need, log);
      writeState(data_dir, { ...readState(data_dir), stores: running });
    });
  };
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    busy = look()
      .catch((error: unknown) => log.error({ err: error }, 'store cannot be started again; trying on'))
      .finally(() => {
        looking = false;
      });
  }, watchEveryMs);
  timer.unref();
  return {
    end: async () => {
      ended = true;
      clearInterval(timer);
      await busy;
    },
  };
}

async function leave(data_dir: string, me: ProcessRef, log: Log): Promise<void> {
  await withFolderLock(data_dir, async () => {
    const state = readState(data_dir);
    const users = state.users.filter((user) => isAlive(user) && !sameProcess(user, me));
    if (users.length > 0) {
      writeState(data_dir, { ...state, users });
      return;
    }
    const keys = keepKeys(data_dir);
    for (const name of ['clickhouse', 'postgres'] as const) {
      const running = await kinds[name].find(data_dir, keys);
      if (!running) continue;
      await kinds[name].stop(running);
      log.info({ store: name }, 'store stopped');
    }
    writeState(data_dir, { ...state, users });
  });
}

/** Where the stores keep what they say. */
export const storeLogs = (data_dir: string): string => join(data_dir, 'logs');
