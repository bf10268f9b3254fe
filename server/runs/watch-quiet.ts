import type { Platform } from '../platform/index.ts';
import { movedRuns } from './sql/log.ts';

interface Watched {
  readonly org_id: string;
  /** The last seq that its reader has, and how to wake it. -1 = wake it as soon as the database answers. */
  readonly readers: Set<{ readonly seq: number; readonly wake: () => void }>;
}

/** How long a reader trusts the quiet of a run that another node works on: a hint may be lost. */
const look_ms = 1_000;
/** Runs of one statement: with more, several follow one another. */
const page = 10_000;

/**
 * Looks once a second at all runs of other nodes that readers of this one wait for: one statement for all of them, so that
 * watchers of quiet runs cost a node the same however many they are. Only says who may have something to read.
 */
export class QuietWatch {
  readonly #platform: Platform;
  readonly #runs = new Map<string, Watched>();
  #timer: NodeJS.Timeout | null = null;
  #looking = false;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Wakes the reader once the run is beyond `seq` or over; the returned function takes the wish back. */
  add(run: { readonly org_id: string; readonly run_id: string }, seq: number, wake: () => void): () => void {
    let watched = this.#runs.get(run.run_id);
    if (!watched) this.#runs.set(run.run_id, (watched = { org_id: run.org_id, readers: new Set() }));
    const reader = { seq, wake };
    const { readers } = watched;
    readers.add(reader);
    this.#schedule();
    return () => {
      readers.delete(reader);
      if (readers.size > 0 || this.#runs.get(run.run_id)?.readers !== readers) return;
      this.#runs.delete(run.run_id);
      this.#schedule();
    };
  }

  /** A watch without runs has no timer: it keeps no process alive. */
  #schedule(): void {
    if (this.#runs.size === 0) {
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = null;
    } else if (!this.#looking) this.#timer ??= setTimeout(() => void this.#look(), look_ms);
  }

  async #look(): Promise<void> {
    this.#timer = null;
    this.#looking = true;
    const asked = [...this.#runs];
    try {
      for (let from = 0; from < asked.length; from += page) await this.#lookAt(asked.slice(from, from + page));
    } catch (error) {
      this.#platform.log.debug({ err: error, runs: asked.length }, 'quiet runs not looked at');
    }
    this.#looking = false;
    this.#schedule();
  }

  async #lookAt(asked: readonly (readonly [string, Watched])[]): Promise<void> {
    const runs = asked.map(([run_id, { org_id, readers }]) => ({
      org_id,
      run_id,
      seq: Math.min(...Array.from(readers, ({ seq }) => seq)),
    }));
    const moved = await this.#platform.postgres.call<{ readonly run_id: string }>(movedRuns(runs));
    for (const { run_id } of moved) for (const { wake } of this.#runs.get(run_id)?.readers ?? []) wake();
  }
}
