import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ToxicOf, Toxic, ToxicType } from './toxic.ts';

export interface LinkOptions {
  readonly from: Socket;
  readonly to: Socket;
  /** The toxics that touch this direction of this connection now. */
  readonly toxics: () => readonly Toxic[];
  /** Resolves when they have changed. */
  readonly changed: () => Promise<void>;
  readonly random: () => number;
  readonly cut: (how: 'close' | 'reset') => void;
}

interface Waiting {
  readonly chunk: Buffer;
  readonly came_ms: number;
}

/** Data under way, in chunks: a reader that is not read from stops reading. */
const maxWaiting = 256;
const tick_ms = 20;

/** One direction of one connection: reads, lets the toxics of the moment have their way, writes. */
export class Link {
  readonly #options: LinkOptions;
  readonly #waiting: Waiting[] = [];
  #wake: (() => void) | null = null;
  #ended = false;
  #passed_bytes = 0;
  #touched = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Bytes that have got through. */
  get passed_bytes(): number {
    return this.#passed_bytes;
  }

  /** Chunks that came to a toxic. */
  get touched(): number {
    return this.#touched;
  }

  /** Runs until both ends are done with this direction. Never rejects. */
  async run(): Promise<void> {
    await Promise.all([this.#read(), this.#write()]).catch(() => this.#options.cut('close'));
  }

  async #read(): Promise<void> {
    try {
      for await (const chunk of this.#options.from) {
        this.#waiting.push({ chunk, came_ms: performance.now() });
        this.#wake?.();
        while (this.#waiting.length >= maxWaiting) await sleep(tick_ms);
      }
    } catch {
      // The other side is told below.
    }
    this.#ended = true;
    this.#wake?.();
  }

  async #write(): Promise<void> {
    for (;;) {
      const [next] = this.#waiting;
      if (next !== undefined) {
        await this.#pass(next);
        this.#waiting.shift();
      } else if (this.#ended) {
        break;
      } else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
    await sleep(this.#toxic('slow_close')?.attributes.delay ?? 0);
    this.#options.to.end();
  }

  #toxic<Type extends ToxicType>(type: Type): ToxicOf<Type> | undefined {
    return this.#options.toxics().find((toxic): toxic is ToxicOf<Type> => toxic.type === type);
  }

  async #pass({ chunk, came_ms }: Waiting): Promise<void> {
    if (this.#options.toxics().length > 0) this.#touched += 1;
    await this.#delay(came_ms);
    await this.#standStill();
    const limit = this.#toxic('limit_data');
    const room = limit === undefined ? chunk.length : Math.max(0, limit.attributes.bytes - this.#passed_bytes);
    for (const piece of this.#slices(chunk.subarray(0, room))) await this.#send(piece);
    if (room < chunk.length) this.#options.cut('close');
  }

  /** `latency` holds each chunk back by as much, whatever waits behind it. */
  async #delay(came_ms: number): Promise<void> {
    const toxic = this.#toxic('latency');
    if (toxic === undefined) return;
    const { latency, jitter } = toxic.attributes;
    const due_ms = came_ms + latency + (this.#options.random() * 2 - 1) * jitter;
    await sleep(Math.max(0, due_ms - performance.now()));
  }

  async #standStill(): Promise<void> {
    for (;;) {
      const toxic = this.#toxic('timeout');
      if (toxic === undefined || this.#options.to.destroyed) return;
      const { timeout } = toxic.attributes;
      const waits = [this.#options.changed(), ...(timeout > 0 ? [sleep(timeout)] : [])];
      await Promise.race(waits);
      if (timeout > 0 && this.#toxic('timeout') === toxic) return this.#options.cut('close');
    }
  }

  #slices(chunk: Buffer): readonly Buffer[] {
    const toxic = this.#toxic('slicer');
    if (toxic === undefined) return [chunk];
    const { average_size, size_variation } = toxic.attributes;
    const slices: Buffer[] = [];
    for (let from = 0; from < chunk.length;) {
      const size = Math.max(1, Math.round(average_size + (this.#options.random() * 2 - 1) * size_variation));
      slices.push(chunk.subarray(from, from + size));
      from += size;
    }
    return slices;
  }

  async #send(piece: Buffer): Promise<void> {
    const { to } = this.#options;
    if (piece.length === 0 || to.destroyed) return;
    const rate = this.#toxic('bandwidth');
    if (rate !== undefined) await sleep((piece.length / 1024 / Math.max(rate.attributes.rate, 0.001)) * 1_000);
    const slicer = this.#toxic('slicer');
    if (slicer !== undefined) await sleep(slicer.attributes.delay / 1_000);
    this.#passed_bytes += piece.length;
    if (to.write(piece)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    to.once('drain', resolve).once('close', resolve);
    await promise;
  }
}
