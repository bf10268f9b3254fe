import { isTerminal, NetraError, type EventFrame, type TerminalEventType } from '@netra/contract';
import type { Exchange } from './exchange.ts';
import type { RunStream } from './run-stream.ts';

/** The event that ends a run. */
export type FinalFrame = Extract<EventFrame, { type: TerminalEventType }>;

/**
 * A run that is followed: `for await (const event of handle)` gives each event once, in order, across lost connections
 * and restarted servers, and ends after the terminal one. Leaving the loop stops following; it does not cancel.
 */
export class RunHandle implements AsyncIterable<EventFrame> {
  readonly run: string;
  readonly thread: string | undefined;
  readonly #exchange: Exchange;
  readonly #stream: RunStream;

  constructor(exchange: Exchange, stream: RunStream, thread?: string) {
    this.run = stream.run;
    this.thread = thread;
    this.#exchange = exchange;
    this.#stream = stream;
  }

  /** Where the next event continues: what `follow` needs to go on elsewhere. */
  get cursor(): { readonly after: number; readonly epoch: number | undefined } {
    return { after: this.#stream.after, epoch: this.#stream.epoch };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<EventFrame, void, undefined> {
    try {
      for (;;) {
        const event = await this.#stream.next();
        if (!event) return;
        yield event;
      }
    } finally {
      this.close();
    }
  }

  /** Reads to the end; the terminal event. `onEvent` sees every one. */
  async finished(onEvent?: (event: EventFrame) => void): Promise<FinalFrame> {
    let last: EventFrame | undefined;
    for await (const event of this) {
      last = event;
      onEvent?.(event);
    }
    if (last && isTerminal(last.type)) return last as FinalFrame; // narrowed by isTerminal
    throw new NetraError('unavailable', 'The run was not followed to its end.');
  }

  /** Asks the run to stop: durable, so it holds even if the connection is lost right after. */
  async cancel(): Promise<void> {
    await this.#exchange.command({ type: 'cancel', run: this.run });
  }

  /** Answers an `approval_requested` event. */
  async approve(call: string, approved: boolean): Promise<void> {
    await this.#exchange.command({ type: 'approve', run: this.run, call, approved });
  }

  /** Stops following. The run goes on. */
  close(): void {
    this.#stream.finish();
    this.#exchange.unfollow(this.#stream);
  }
}
