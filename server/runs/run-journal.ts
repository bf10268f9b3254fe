import {
  advanceLog,
  NetraError,
  type LogState,
  type NewEvent,
  type Receipt,
  type RunEvent,
  type TerminalEvent,
} from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import type { Claim } from './claim.ts';
import { encodeEvent, type EncodedEvent } from './encode-event.ts';
import { finishRun } from './finish-run.ts';
import { nodeOf, type RunsNode } from './node.ts';
import { parkRun } from './park-run.ts';

import type { FinishInput, Journal, Standing } from './journal.ts';

/** Writes one run's log under one lease, keeping order: appends go one after the other, the last write last. */
export class RunJournal implements Journal {
  readonly #platform: Platform;
  readonly #node: RunsNode;
  readonly #claim: Claim;
  readonly #events: RunEvent[];
  #state: LogState;
  #waiting: EncodedEvent[] = [];
  #flight: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;
  #standing: Standing = 'open';

  constructor(platform: Platform, claim: Claim, events: RunEvent[], state: LogState) {
    this.#platform = platform;
    this.#node = nodeOf(platform);
    this.#claim = claim;
    this.#events = events;
    this.#state = state;
  }

  get events(): readonly RunEvent[] {
    return this.#events;
  }

  get state(): LogState {
    return this.#state;
  }

  get standing(): Standing {
    return this.#standing;
  }

  append(events: readonly NewEvent[]): Promise<void> {
    try {
      this.#accept(events);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#flight === null) {
      if (this.#waiting.length === 0) return Promise.resolve();
      this.#flight = this.#send();
      // The caller may choose not to wait; the failure is kept and told to its next call.
      this.#flight.catch(() => undefined);
    }
    return this.#flight;
  }

  async finish({ events: last = [], event, capture_micro, usage }: FinishInput): Promise<Receipt> {
    this.#accept(last);
    // The grammar only looks at the type; the receipt is not known before the settlement.
    const state = advanceLog(this.#state, event);
    this.#standing = 'ending';
    await this.#flight;
    const events = this.#take();
    const finished = await this.#closing(() =>
      finishRun({
        platform: this.#platform,
        claim: this.#claim,
        input: { head: this.#head, events, event, capture_micro, usage },
      }),
    );
    const ending = { type: event.type, data: { ...event.data, credits: finished.receipt } } as TerminalEvent;
    this.#state = state;
    this.#committed([...events, encodeEvent(ending)], finished.at);
    this.#standing = 'ended';
    this.#node.feed.end(this.#claim.run_id);
    return finished.receipt;
  }

  async park(events: readonly NewEvent[]): Promise<void> {
    this.#accept(events);
    this.#standing = 'ending';
    await this.#flight;
    const waiting = this.#take();
    const at = await this.#closing(() =>
      parkRun({ platform: this.#platform, claim: this.#claim, input: { head: this.#head, events: waiting } }),
    );
    this.#committed(waiting, at);
    this.#standing = 'parked';
    this.#node.feed.drop(this.#claim.run_id);
  }

  get #head(): number {
    return this.#events.length;
  }

  #refuseIfClosed(): void {
    if (this.#failure) throw this.#failure.error;
    if (this.#standing !== 'open') throw new NetraError('conflict', 'This run is no longer being written here.');
  }

  /** Checks the grammar and queues; all or nothing. */
  #accept(events: readonly NewEvent[]): void {
    this.#refuseIfClosed();
    let state = this.#state;
    const encoded = events.map((event) => {
      if (event.type in terminal) throw new Error(`${event.type} is written by finish`);
      state = advanceLog(state, event);
      return encodeEvent(event);
    });
    this.#state = state;
    this.#waiting.push(...encoded);
  }

  #take(): EncodedEvent[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  /** Sends until nothing waits: what arrives meanwhile leaves with the next flush. */
  async #send(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const events = this.#take();
        const { org_id, run_id, lease_token } = this.#claim;
        const events_json = `[${events.map(({ json }) => json).join(',')}]`;
        const batch = { org_id, run_id, lease_token, head: this.#head, events_json };
        this.#committed(events, await this.#node.writer.append(batch, events.length));
      }
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      this.#flight = null;
    }
  }

  async #closing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#standing = 'lost';
    this.#node.feed.drop(this.#claim.run_id);
  }

  /** R1: only now may anyone see them. */
  #committed(events: readonly EncodedEvent[], at: Date): void {
    const time = at.toISOString();
    const run = this.#claim.run_id;
    const placed = events.map(({ event }, index) => ({ ...event, run, seq: this.#head + index + 1, at: time }));
    this.#events.push(...placed);
    this.#node.feed.publish(
      run,
      placed,
      events.reduce((sum, { json }) => sum + json.length, 0),
    );
  }
}

const terminal: Readonly<Record<string, true>> = { agent_completed: true, agent_failed: true, agent_cancelled: true };
