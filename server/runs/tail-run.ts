import { isTerminal, NetraError, type RunEvent } from '@netra/contract';
import type { Ctx, Platform } from '../platform/index.ts';
import type { Feed } from './feed.ts';
import { nodeOf } from './node.ts';
import { readPage } from './read-page.ts';

export type TailItem =
  | { readonly kind: 'events'; readonly events: readonly RunEvent[] }
  /** Everything up to `seq` was given; what follows comes as it happens. Once. */
  | { readonly kind: 'live'; readonly seq: number }
  /** The terminal event was given; nothing follows. */
  | { readonly kind: 'end'; readonly seq: number }
  /** The cursor is void: forget what you have; the tail goes on from `first`. */
  | { readonly kind: 'reset'; readonly epoch: number; readonly first: number; readonly reason: string };

export interface Tail {
  /** Of the events to come; another one after a `reset`. */
  readonly epoch: number;
  /** The run's last seq at the subscription. */
  readonly head: number;
  /** Events up to here were gone by retention at the subscription; 0 = none was. */
  readonly cut: number;
  /** The next item, when there is one. Rejects with the signal's reason, or when closed. One call at a time. */
  next(signal: AbortSignal): Promise<TailItem>;
  close(): void;
}

/** Events in one item. A reader pulls, so this is all that a slow one ever holds. */
const page = 256;

/**
 * Follows a run's log from `after` (0 = from the start): each event once, in order, whatever node works on it (R3).
 * Authorised here, by the organisation in `ctx`: a run id is not a credential. Throws `not_found`.
 */
export async function tailRun({
  ctx,
  input,
}: {
  readonly ctx: Pick<Ctx, 'platform' | 'principal'>;
  readonly input: { readonly run: string; readonly after: number; readonly epoch?: number | undefined };
}): Promise<Tail> {
  const run = { org_id: ctx.principal.org_id, run_id: input.run };
  const live = nodeOf(ctx.platform).feed.get(run.run_id);
  const seen = live?.org_id === run.org_id ? { ...live, cut: 0 } : await readPage(ctx.platform, run, 0, 0);
  const { epoch, head, cut } = seen;
  return new RunTail(ctx.platform, run, { epoch, head, cut, after: input.after, reason: voidCursor(input, seen) });
}

/** What is read is behind whatever the run's head is. */
const unknown_seq = -1;

/** A database that is gone for a while says nothing new, and ends nothing: the next look is when it answers again. */
function quietWithoutDatabase(error: unknown): null {
  if (error instanceof NetraError && error.code === 'unavailable') return null;
  throw error;
}

function voidCursor(
  cursor: { readonly after: number; readonly epoch?: number | undefined },
  { epoch, head, cut }: { readonly epoch: number; readonly head: number; readonly cut: number },
): string | null {
  // Also for who has seen nothing yet: what is left must not look like the whole.
  if (cursor.after < cut) return cutReason(cut);
  if (cursor.epoch !== undefined && cursor.epoch !== epoch) return `the log is of epoch ${epoch} now`;
  if (cursor.after > head) return `the log ends at ${head}`;
  return null;
}

function cutReason(cut: number): string {
  return `the events up to ${cut} are no longer kept`;
}

interface Start {
  readonly epoch: number;
  readonly head: number;
  readonly cut: number;
  readonly after: number;
  /** Why the cursor is void; null if it is not. */
  readonly reason: string | null;
}

class RunTail implements Tail {
  readonly head: number;
  readonly cut: number;
  #epoch: number;
  readonly #platform: Platform;
  readonly #feed: Feed;
  readonly #run: { readonly org_id: string; readonly run_id: string };
  #cursor: number;
  #reset: string | null;
  #toldLive = false;
  #closed = false;

  constructor(platform: Platform, run: { readonly org_id: string; readonly run_id: string }, start: Start) {
    this.#platform = platform;
    this.#feed = nodeOf(platform).feed;
    this.#run = run;
    this.#epoch = start.epoch;
    this.head = start.head;
    this.cut = start.cut;
    this.#reset = start.reason;
    this.#cursor = start.reason === null ? start.after : start.cut;
  }

  get epoch(): number {
    return this.#epoch;
  }

  async next(signal: AbortSignal): Promise<TailItem> {
    if (this.#reset !== null) return this.#tellReset(this.#reset);
    for (;;) {
      signal.throwIfAborted();
      if (this.#closed) throw new NetraError('conflict', 'This tail is closed.');
      const known = this.#fromMemory();
      if (known) return known;
      // Listen before looking: what is committed in between wakes us.
      const wake = this.#listen(signal);
      try {
        if (!this.#inMemory()) {
          const item = await this.#fromLog().catch(quietWithoutDatabase);
          if (item) return item;
          wake.watch(item === null ? unknown_seq : this.#cursor);
        }
        await wake.promise;
      } finally {
        wake.cancel();
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#feed.wake(this.#run.run_id);
  }

  #tellReset(reason: string): TailItem {
    this.#reset = null;
    return { kind: 'reset', epoch: this.#epoch, first: this.#cursor + 1, reason };
  }

  #inMemory(): boolean {
    const log = this.#feed.get(this.#run.run_id);
    return log !== undefined && this.#cursor >= log.head - log.events.length;
  }

  /** What this node knows beyond the cursor; undefined if nothing new, or if the cursor is behind what is kept. */
  #fromMemory(): TailItem | undefined {
    const log = this.#feed.get(this.#run.run_id);
    if (!log) return undefined;
    const skip = this.#cursor - (log.head - log.events.length);
    if (skip < 0) return undefined;
    if (skip < log.events.length) return this.#take(log.events.slice(skip, skip + page));
    const last = log.events.at(-1);
    return this.#quiet(last !== undefined && isTerminal(last.type));
  }

  async #fromLog(): Promise<TailItem | undefined> {
    const seen = await readPage(this.#platform, this.#run, this.#cursor, page);
    if (seen.cut > this.#cursor) {
      // Cut while it was being read: what is there goes on behind a gap.
      this.#epoch = seen.epoch;
      this.#cursor = seen.cut;
      return this.#tellReset(cutReason(seen.cut));
    }
    return seen.events.length > 0 ? this.#take(seen.events) : this.#quiet(seen.ended);
  }

  #take(events: readonly RunEvent[]): TailItem {
    this.#cursor = events.at(-1)?.seq ?? this.#cursor;
    return { kind: 'events', events };
  }

  #quiet(ended: boolean): TailItem | undefined {
    if (ended) return { kind: 'end', seq: this.#cursor };
    if (this.#toldLive) return undefined;
    this.#toldLive = true;
    return { kind: 'live', seq: this.#cursor };
  }

  /** `watch`: from now on also when the log is found to be beyond `seq`. Every wish ends with `cancel`. */
  #listen(signal: AbortSignal): {
    readonly promise: Promise<void>;
    readonly watch: (seq: number) => void;
    readonly cancel: () => void;
  } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const forget = [this.#feed.onWake(this.#run.run_id, resolve)];
    const wakeUp = (): void => resolve();
    signal.addEventListener('abort', wakeUp, { once: true });
    return {
      promise,
      watch: (seq) => forget.push(nodeOf(this.#platform).quiet.add(this.#run, seq, resolve)),
      cancel: () => {
        for (const one of forget) one();
        signal.removeEventListener('abort', wakeUp);
      },
    };
  }
}
