import type { LogState, NewEvent, Receipt, RunEvent, TerminalEvent } from '@netra/contract';
import type { OutboxRow } from './outbox-row.ts';

/** A terminal event as the worker knows it: the receipt is added in the transaction that settles. */
export type Ending = {
  [T in TerminalEvent['type']]: {
    readonly type: T;
    readonly data: Omit<Extract<TerminalEvent, { type: T }>['data'], 'credits'>;
  };
}[TerminalEvent['type']];

export interface FinishInput {
  /** The last events before the terminal one. */
  readonly events?: readonly NewEvent[];
  readonly event: Ending;
  /** What is still to be charged to the hold; the rest is released. */
  readonly capture_micro: bigint;
  /** Rows for the outbox, in the same transaction; each reaches ClickHouse once. */
  readonly usage: readonly OutboxRow[];
}

export type Standing = 'open' | 'ending' | 'ended' | 'parked' | 'lost';

/** A claimed run's log, open for writing. */
export interface Journal {
  /** All committed events so far, oldest first. */
  readonly events: readonly RunEvent[];
  /** Where the grammar stands, with what is not committed yet. */
  readonly state: LogState;
  /** open: to be written. ending: the last write is on its way. ended, parked: done with, committed. lost: fenced, or the outcome is unknown. */
  readonly standing: Standing;
  /**
   * Resolves when the events are committed. Not awaiting is allowed: what waits leaves together, order is kept, and a
   * failure rejects every later call. Throws an Error that names the broken rule of the grammar, `payload_too_large`,
   * `fenced`, or `unavailable` (outcome unknown: give the run back, never go on).
   */
  append(events: readonly NewEvent[]): Promise<void>;
  /** Appends what waits, settles the hold and ends the run: one transaction, safe to repeat (R1, M2). */
  finish(input: FinishInput): Promise<Receipt>;
  /** Appends the events and gives the lease up until a person answers. */
  park(events: readonly NewEvent[]): Promise<void>;
}
