import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { retryUnknown } from './retry-unknown.ts';
import { appendEvents, readLog, type AppendedRow, type Batch, type LogRow } from './sql/log.ts';

interface Waiting {
  readonly batch: Batch;
  readonly count: number;
  readonly resolve: (at: Date) => void;
  readonly reject: (error: unknown) => void;
}

/** At most this many runs and bytes leave in one flush; the rest waits for the next. */
const maxRuns = 128;
const maxFlush_bytes = 4 * 1024 * 1024;
/** With this many runs waiting, a second flush leaves beside the first: PostgreSQL then works while we encode. */
const large = 64;
const maxFlights = 2;

/**
 * Group commit by natural batching: one flush is in flight (two under heavy load); what arrives meanwhile leaves
 * together when it returns. No timer, so alone a step costs one commit, and under load a commit carries many runs.
 *
 * R1: a promise resolves only after its events are committed; a writer without the lease gets `fenced`.
 */
export class LogWriter {
  readonly #platform: Platform;
  readonly #flushed: (runs: readonly string[]) => void;
  #waiting: Waiting[] = [];
  #flights = 0;

  constructor(platform: Platform, flushed: (runs: readonly string[]) => void) {
    this.#platform = platform;
    this.#flushed = flushed;
  }

  /** Appends `count` events after `batch.head`; gives the database time they carry. One call a run at a time. */
  append(batch: Batch, count: number): Promise<Date> {
    const { promise, resolve, reject } = Promise.withResolvers<Date>();
    this.#waiting.push({ batch, count, resolve, reject });
    this.#depart();
    return promise;
  }

  /** A second flush may leave while the first is under way, if it is a large one: neither has a run of the other. */
  #depart(): void {
    if (this.#flights === 0 || (this.#flights < maxFlights && this.#waiting.length >= large)) {
      this.#flights += 1;
      // Once round the event loop: everything that this turn brings leaves with it.
      setImmediate(() => void this.#fly());
    }
  }

  async #fly(): Promise<void> {
    if (this.#waiting.length > 0) await this.#flush(this.#take());
    this.#flights -= 1;
    if (this.#waiting.length > 0) this.#depart();
  }

  #take(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((waiting, index) => {
      bytes += waiting.batch.events_json.length;
      return index > 0 && (index === maxRuns || bytes > maxFlush_bytes);
    });
    const taken = end === -1 ? this.#waiting : this.#waiting.slice(0, end);
    this.#waiting = end === -1 ? [] : this.#waiting.slice(end);
    // In id order, so that two nodes never wait for each other's rows in a ring.
    return taken.sort((a, b) => (a.batch.run_id < b.batch.run_id ? -1 : 1));
  }

  async #flush(taken: readonly Waiting[]): Promise<void> {
    try {
      await this.#send(taken);
    } catch (error) {
      if (taken.length === 1 || error instanceof NetraError) {
        for (const waiting of taken) waiting.reject(error);
        return;
      }
      // One run's events are not storable: the others must not suffer for it.
      for (const waiting of taken) await this.#flush([waiting]);
    }
  }

  async #send(taken: readonly Waiting[]): Promise<void> {
    const { postgres, config } = this.#platform;
    const batches = taken.map((waiting) => waiting.batch);
    // The fence (token and head) makes a repeat harmless.
    const rows = await retryUnknown(this.#platform, () =>
      postgres.call<AppendedRow>(appendEvents(batches, config.lease_ms)),
    );
    const done: string[] = [];
    for (const { slot, at } of rows) {
      const waiting = taken[slot - 1];
      if (!waiting) throw new Error(`append_events answered for slot ${slot} of ${taken.length}`);
      done.push(waiting.batch.run_id);
      waiting.resolve(at);
    }
    if (rows.length < taken.length) await this.#settleMissing(taken, new Set(rows.map((row) => row.slot)));
    this.#flushed(done);
  }

  /** A run that was not appended to: fenced, or an earlier try of this batch did commit before its answer was lost. */
  async #settleMissing(taken: readonly Waiting[], slots: ReadonlySet<number>): Promise<void> {
    const missing = taken.filter((_, index) => !slots.has(index + 1));
    await Promise.all(
      missing.map(async ({ batch, count, resolve, reject }) => {
        const statement = readLog(batch.org_id, batch.run_id, batch.head + count - 1, 1);
        const [row] = await retryUnknown(this.#platform, () => this.#platform.postgres.call<LogRow>(statement));
        // Only the holder of this token appends, and one batch at a time: this head can only be our own.
        const ours = row?.lease_token === batch.lease_token && row.last_seq === batch.head + count;
        if (ours && row.seq !== null) return resolve(row.at);
        this.#platform.log.warn({ run_id: batch.run_id, head: batch.head, count }, 'write refused: the lease is gone');
        reject(new NetraError('fenced', 'Another worker has taken this run over'));
      }),
    );
  }
}
