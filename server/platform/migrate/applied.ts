import { NetraError } from '@netra/contract';
import type { Migration, MigrationStore } from './read-migrations.ts';

/** What a store remembers of a step that it went. */
export interface Applied {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly applied_at: Date;
}

export type MigrationState =
  | 'applied'
  | 'pending'
  /** The file was edited after it was applied. */
  | 'changed'
  /** Applied by a release that had a file which this one has not. */
  | 'unknown';

export interface MigrationStatus {
  readonly store: MigrationStore;
  readonly version: number;
  readonly name: string;
  readonly state: MigrationState;
  readonly breaking: boolean | null;
  readonly applied_at: Date | null;
}

/** Puts files and memory side by side, in order. */
export function compare(
  store: MigrationStore,
  files: readonly Migration[],
  applied: readonly Applied[],
): readonly MigrationStatus[] {
  const memory = new Map(applied.map((entry) => [entry.version, entry]));
  const known = files.map(({ version, name, breaking, checksum }): MigrationStatus => {
    const entry = memory.get(version);
    const state = entry === undefined ? 'pending' : entry.checksum === checksum ? 'applied' : 'changed';
    return { store, version, name, breaking, state, applied_at: entry?.applied_at ?? null };
  });
  const versions = new Set(files.map(({ version }) => version));
  const strangers = applied
    .filter(({ version }) => !versions.has(version))
    .map(({ version, name, applied_at }): MigrationStatus => ({
      store,
      version,
      name,
      applied_at,
      breaking: null,
      state: 'unknown',
    }));
  return [...known, ...strangers].toSorted((a, b) => a.version - b.version);
}

/** A step may not change once it was applied: what runs would no longer be what the file says. */
export function refuseChanged(store: MigrationStore, status: readonly MigrationStatus[]): void {
  const changed = status.filter(({ state }) => state === 'changed');
  if (changed.length === 0) return;
  const names = changed.map(({ version, name }) => `${String(version).padStart(4, '0')}_${name}`).join(', ');
  throw new NetraError(
    'conflict',
    `migrations/${store}: ${names} was edited after it was applied. Put the file back and write a new step; ` +
      `or, where nothing is to be kept, start on an empty database (--data of a new folder)`,
  );
}

/** `kept`: what a step back takes away is aside. */
export type Phase = 'begin' | 'kept' | 'statement' | 'recorded' | 'done';

/** What the runner tells while it works. `statement` counts from 1: said once it ran, `recorded` once that is kept. */
export interface MigrationProgress {
  readonly store: MigrationStore;
  readonly direction: 'up' | 'down';
  readonly version: number;
  readonly name: string;
  readonly phase: Phase;
  readonly statement: number;
}

export type OnProgress = (progress: MigrationProgress) => void;
