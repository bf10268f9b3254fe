import type { RunEvent } from '@netra/contract';

/** The committed events of a run that this node works on, so that its readers need no query. */
export interface LiveLog {
  readonly org_id: string;
  readonly run_id: string;
  readonly epoch: number;
  /** Dense; the oldest are dropped from here (not from the log) beyond `maxLog_bytes`. */
  readonly events: readonly RunEvent[];
  readonly head: number;
}

interface KeptLog extends LiveLog {
  readonly events: RunEvent[];
  head: number;
  bytes: number;
}

/** Kept per run; a reader further behind pages from the log. */
const maxLog_bytes = 512 * 1024;
/** Runs that are over stay readable from memory, up to so many and so much: a client subscribes after its run. */
const maxEnded = 1_024;
const maxEnded_bytes = 32 * 1024 * 1024;
/** What an event costs beyond its data. */
const eventOverhead_bytes = 200;

/**
 * Wakes readers after a commit, and keeps the logs of the runs that this node writes. Readers hold a cursor, never a
 * queue: they all read the same events, so that a slow one costs nothing (R3). Whatever is not here is in the log.
 */
export class Feed {
  readonly #logs = new Map<string, KeptLog>();
  readonly #waiters = new Map<string, Set<() => void>>();
  /** Oldest first. */
  readonly #ended = new Map<string, number>();
  #ended_bytes = 0;

  /** From now on this node is the only writer of the run; `events` are all its events so far, or a tail of them. */
  open(log: LiveLog): void {
    const events = [...log.events];
    this.#logs.set(log.run_id, { ...log, events, bytes: events.length * eventOverhead_bytes });
  }

  /** Committed events, in order; `bytes` is the size of their data. No-op for a run that this node does not write. */
  publish(run_id: string, events: readonly RunEvent[], bytes: number): void {
    const log = this.#logs.get(run_id);
    if (log) {
      log.events.push(...events);
      log.head += events.length;
      log.bytes += bytes + events.length * eventOverhead_bytes;
      if (log.bytes > maxLog_bytes) shorten(log);
    }
    this.wake(run_id);
  }

  /** This node no longer writes the run (fenced, parked, released): readers turn to the log. */
  drop(run_id: string): void {
    this.#logs.delete(run_id);
    this.wake(run_id);
  }

  /** The run has ended: its log stays a while, and makes room for the next ones. */
  end(run_id: string): void {
    const log = this.#logs.get(run_id);
    if (!log) return;
    this.#ended.set(run_id, log.bytes);
    this.#ended_bytes += log.bytes;
    for (const [oldest, bytes] of this.#ended) {
      if (this.#ended.size <= maxEnded && this.#ended_bytes <= maxEnded_bytes) break;
      this.#ended.delete(oldest);
      this.#ended_bytes -= bytes;
      this.#logs.delete(oldest);
    }
  }

  get(run_id: string): LiveLog | undefined {
    return this.#logs.get(run_id);
  }

  /** Something may have happened to the run: commit here, hint from elsewhere, cancel request. */
  wake(run_id: string): void {
    const waiters = this.#waiters.get(run_id);
    if (!waiters) return;
    this.#waiters.delete(run_id);
    for (const waiter of waiters) waiter();
  }

  /** Calls back once, at the next wake; the returned function takes the wish back. */
  onWake(run_id: string, waiter: () => void): () => void {
    let waiters = this.#waiters.get(run_id);
    if (!waiters) this.#waiters.set(run_id, (waiters = new Set()));
    waiters.add(waiter);
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiters.get(run_id) === waiters) this.#waiters.delete(run_id);
    };
  }

  /** For metrics and for tests that watch memory. */
  get size(): { readonly logs: number; readonly events: number; readonly watched: number } {
    let events = 0;
    for (const log of this.#logs.values()) events += log.events.length;
    return { logs: this.#logs.size, events, watched: this.#waiters.size };
  }
}

/** Drops the older half: halving keeps the cost of dropping linear over a long run. */
function shorten(log: KeptLog): void {
  log.events.splice(0, Math.ceil(log.events.length / 2));
  log.bytes = log.events.reduce((sum, event) => sum + JSON.stringify(event.data).length + eventOverhead_bytes, 0);
}
