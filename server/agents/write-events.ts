import type { NewEvent } from '@netra/contract';
import type { Journal } from '../runs/index.ts';

/** A text event grows no further than this: one event is one frame on every wire. */
const max_text_chars = 16 * 1024;
/** With this much text not committed yet, the model is not read any further. */
const max_waiting_chars = 256 * 1024;

export interface EventWriter {
  /**
   * Takes events; they leave in the next turn of the event loop, or together when the append before returns. Throws
   * what made an earlier append fail.
   */
  write(events: readonly NewEvent[]): void;
  /** Resolves when all events so far are committed. */
  flush(): Promise<void>;
  /** Resolves at once unless too much text waits. */
  ready(): Promise<void>;
  /** Hands over what has not left yet, for the run's last transaction. */
  take(): readonly NewEvent[];
}

/**
 * Sends events to the journal, one append in flight; what comes meanwhile leaves together, adjacent text as one event.
 * No timer, but one turn of the event loop: a model on the network gives its deltas turn by turn, so each leaves at
 * once, and what a turn without any waiting says is one append (a rehearsal's tool result and answer leave with its
 * end, which saves a quarter of its round trips).
 */
export function writeEvents(journal: Pick<Journal, 'append'>): EventWriter {
  let pending: NewEvent[] = [];
  let pending_chars = 0;
  let scheduled: NodeJS.Immediate | null = null;
  let in_flight: Promise<void> | null = null;
  let failure: { readonly error: unknown } | null = null;

  const take = (): readonly NewEvent[] => {
    if (scheduled !== null) clearImmediate(scheduled);
    const taken = pending;
    scheduled = null;
    pending = [];
    pending_chars = 0;
    return taken;
  };
  const send = async (): Promise<void> => {
    try {
      while (pending.length > 0) await journal.append(take());
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      in_flight = null;
    }
  };
  const flush = async (): Promise<void> => {
    // What is in flight takes along what waits; only what came in its very last moment needs another round.
    while (in_flight !== null || pending.length > 0) await (in_flight ??= send());
  };
  return {
    take,
    flush,
    write(events) {
      if (failure !== null) throw failure.error;
      for (const event of events) pending_chars += pushEvent(pending, event);
      if (in_flight !== null) return;
      scheduled ??= setImmediate(() => {
        scheduled = null;
        // Kept, and thrown at the next write.
        flush().catch(() => undefined);
      });
    },
    ready: () => (pending_chars > max_waiting_chars ? flush() : Promise.resolve()),
  };
}

/** Adds the event, as part of the one before it where both are text of one kind. Returns the characters added. */
function pushEvent(pending: NewEvent[], event: NewEvent): number {
  if (event.type !== 'agent_thinking' && event.type !== 'agent_message') {
    pending.push(event);
    return 0;
  }
  const last = pending.at(-1);
  const { text, restarts } = event.data;
  if (last?.type === event.type && restarts === undefined && last.data.text.length + text.length <= max_text_chars) {
    pending[pending.length - 1] = { ...last, data: { ...last.data, text: last.data.text + text } };
  } else {
    pending.push(event);
  }
  return text.length;
}
