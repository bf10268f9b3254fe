import { NetraError, type EventFrame } from '@netra/contract';

/** Events that arrived and were not yet taken; a consumer this far behind is told so rather than filling memory. */
const maxWaiting = 100_000;

/**
 * One run's events on their way to one consumer: each once, in order (R3). `after` is the cursor: what is at or below
 * it is a repetition, what is not the next one means that something was lost on the way.
 */
export class RunStream {
  readonly run: string;
  after: number;
  epoch: number | undefined;
  /** The server has nothing more: the terminal event has come. */
  done = false;
  /** Times in a row that asking again brought nothing. */
  fruitless = 0;
  #error: unknown;
  #failed = false;
  #waiting: EventFrame[] = [];
  #taken = 0;
  #wake: (() => void) | undefined;

  constructor(run: string, after: number, epoch: number | undefined) {
    this.run = run;
    this.after = after;
    this.epoch = epoch;
  }

  /** False if events are missing before this one: ask again from `after`. */
  push(event: EventFrame): boolean {
    if (event.seq <= this.after) return true;
    if (event.seq !== this.after + 1) return false;
    this.after = event.seq;
    this.fruitless = 0;
    this.#waiting.push(event);
    if (this.#waiting.length - this.#taken > maxWaiting) {
      this.fail(
        new NetraError('unavailable', 'Events come faster than they are taken; follow the run again from here.'),
      );
    }
    this.#wake?.();
    return true;
  }

  finish(): void {
    this.done = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    if (this.closed) return;
    this.#failed = true;
    this.#error = error;
    this.#wake?.();
  }

  get closed(): boolean {
    return this.done || this.#failed;
  }

  /** The next event, or undefined after the last one; throws what ended the stream early. */
  async next(): Promise<EventFrame | undefined> {
    for (;;) {
      const event = this.#waiting[this.#taken];
      if (event) {
        this.#taken += 1;
        if (this.#taken === this.#waiting.length) {
          this.#waiting = [];
          this.#taken = 0;
        }
        return event;
      }
      if (this.#failed) throw this.#error;
      if (this.done) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
