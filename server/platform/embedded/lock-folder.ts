import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NetraError } from '@netra/contract';
import { isAlive, processRef, until, type ProcessRef } from './processes.ts';

const file = 'stores.lock';

/**
 * Runs `work` while no other process does the same on this data folder. Held for the seconds that finding, starting
 * or stopping the stores takes, never while they run. The lock names its holder, so one that died in it is taken over.
 */
export async function withFolderLock<T>(data_dir: string, work: () => Promise<T>, timeout_ms = 120_000): Promise<T> {
  const path = join(data_dir, file);
  const own = { ...self(), token: randomBytes(8).toString('hex') };
  const got = await until(timeout_ms, () => {
    if (take(path, own)) return true;
    breakStale(path);
    return false;
  });
  if (!got) throw new NetraError('unavailable', `Another process is busy with the stores in ${data_dir}; try again`);
  try {
    return await work();
  } finally {
    if (readHolder(path)?.token === own.token) rmSync(path, { force: true });
  }
}

interface Holder extends ProcessRef {
  readonly token: string;
}

export function self(): ProcessRef {
  const ref = processRef(process.pid);
  if (ref === null) throw new Error('cannot read when this process started');
  return ref;
}

function take(path: string, own: Holder): boolean {
  const draft = `${path}.${own.token}`;
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    // A link appears whole or not at all, and only if there is none.
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

/** Moves a dead holder's lock aside. What was moved is looked at again: between the look and the move a live one may have come. */
function breakStale(path: string): void {
  const holder = readHolder(path);
  if (holder === null || isAlive(holder)) return;
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = readHolder(aside);
  if (isAlive(moved)) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process has the lock by now; the second one finds its token gone and leaves that lock alone.
    }
  }
  rmSync(aside, { force: true });
}
