import { isErrorCode, NetraError, type ClientFrame, type ServerFrame } from '@netra/contract';
import { RunStream } from './run-stream.ts';

type WithoutId<Frame> = Frame extends unknown ? Omit<Frame, 'id'> : never;
export type Command = WithoutId<Extract<ClientFrame, { type: 'run' | 'cancel' | 'approve' }>>;
type Frame<Type extends ServerFrame['type']> = Extract<ServerFrame, { type: Type }>;

interface Pending {
  readonly text: string;
  resolve(frame: Frame<'accepted'>): void;
  reject(error: unknown): void;
}

/** What the exchange asks of the connection under it. */
export interface Link {
  /** There is something to send: be connected. */
  wake(): void;
  /** The server can't serve this now: connect again, after the backoff. */
  again(): void;
}

/** How often in a row a server may leave a gap before we stop asking it to fill that. */
const maxFruitless = 5;

/**
 * What was asked and not answered yet, and the runs that are followed: outlives connections. On a new one everything is
 * asked again (`run` by its idempotency key, cancel and approve because they are idempotent; streams by their cursors).
 */
export class Exchange {
  readonly #link: Link;
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<string, RunStream>();
  readonly #subscribing = new Map<number, RunStream>();
  #send: ((text: string) => void) | undefined;
  #nextId = 1;

  constructor(link: Link) {
    this.#link = link;
  }

  /** True while anybody waits for the server. */
  get waits(): boolean {
    return this.#pending.size > 0 || this.#streams.size > 0;
  }

  attach(send: (text: string) => void): void {
    this.#send = send;
    for (const { text } of this.#pending.values()) send(text);
    for (const stream of this.#streams.values()) this.#subscribe(stream, send);
  }

  detach(): void {
    this.#send = undefined;
    this.#subscribing.clear();
  }

  /** Settles with the answer, however many connections that takes. */
  command(command: Command): Promise<Frame<'accepted'>> {
    const id = this.#nextId++;
    const text = JSON.stringify({ ...command, id });
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { text, resolve, reject });
      if (this.#send) this.#send(text);
      else this.#link.wake();
    });
  }

  /** Follows a run from after `after` on. */
  follow(run: string, after: number, epoch: number | undefined): RunStream {
    if (this.#streams.has(run)) throw new NetraError('conflict', 'This client follows the run already.');
    const stream = new RunStream(run, after, epoch);
    this.#streams.set(run, stream);
    if (this.#send) this.#subscribe(stream, this.#send);
    else this.#link.wake();
    return stream;
  }

  unfollow(stream: RunStream): void {
    if (this.#streams.get(stream.run) === stream) this.#streams.delete(stream.run);
  }

  failAll(error: NetraError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#subscribing.clear();
    for (const stream of this.#streams.values()) stream.fail(error);
    this.#streams.clear();
  }

  receive(frame: ServerFrame): void {
    if (frame.type === 'accepted') this.#accepted(frame);
    else if (frame.type === 'subscribed') this.#subscribed(frame);
    else if (frame.type === 'end') this.#end(frame);
    else if (frame.type === 'reset') this.#reset(frame);
    else if (frame.type === 'error') this.#refused(frame);
    else if ('data' in frame) {
      const stream = this.#streams.get(frame.run);
      if (stream && !stream.push(frame)) this.#askAgain(stream);
    }
  }

  #subscribe(stream: RunStream, send: (text: string) => void): void {
    const id = this.#nextId++;
    this.#subscribing.set(id, stream);
    const { run, after, epoch } = stream;
    send(JSON.stringify({ type: 'subscribe', id, run, after, epoch }));
  }

  #accepted(frame: Frame<'accepted'>): void {
    const pending = this.#pending.get(Number(frame.id));
    this.#pending.delete(Number(frame.id));
    pending?.resolve(frame);
  }

  #subscribed(frame: Frame<'subscribed'>): void {
    const stream = this.#subscribing.get(Number(frame.id));
    this.#subscribing.delete(Number(frame.id));
    // An epoch we know is kept: if it is void, `reset` says so next.
    if (stream) stream.epoch ??= frame.epoch;
  }

  #end({ run, seq }: Frame<'end'>): void {
    const stream = this.#streams.get(run);
    if (!stream) return;
    if (stream.after < seq) return this.#askAgain(stream);
    stream.finish();
    this.#streams.delete(run);
  }

  /** The history before `first` is gone, or is another one now: never papered over. */
  #reset({ run, epoch, first, reason }: Frame<'reset'>): void {
    const stream = this.#streams.get(run);
    this.#streams.delete(run);
    const message = `The run's history cannot be continued from here: ${reason}.`;
    stream?.fail(new NetraError('conflict', message, { epoch, first, reason }));
  }

  /** Events are missing (R3: never passed over). Bounded: a server that can't fill the gap is not asked for ever. */
  #askAgain(stream: RunStream): void {
    if ([...this.#subscribing.values()].includes(stream)) return;
    stream.fruitless += 1;
    if (stream.fruitless <= maxFruitless) {
      if (this.#send) this.#subscribe(stream, this.#send);
      return;
    }
    this.#streams.delete(stream.run);
    stream.fail(new NetraError('internal', `Events after ${stream.after} are missing.`));
  }

  #refused(frame: Frame<'error'>): void {
    const id = Number(frame.id);
    const stream = this.#subscribing.get(id);
    const pending = this.#pending.get(id);
    this.#subscribing.delete(id);
    this.#pending.delete(id);
    const error = errorOf(frame);
    pending?.reject(error);
    if (!stream) return;
    // The backoff of a new connection is the wait that a retryable refusal asks for.
    if (error.retryable) return this.#link.again();
    this.#streams.delete(stream.run);
    stream.fail(error);
  }
}

/** A refusal as the error it is on the server. */
export function errorOf({ code, message, limit }: Frame<'error'>): NetraError {
  const detail = typeof limit === 'object' && limit !== null ? { ...limit } : {};
  return new NetraError(isErrorCode(code) ? code : 'internal', message, detail);
}
