import { isErrorCode, NetraError, subprotocol, type ServerFrame } from '@netra/contract';
import { backoffMs } from './backoff.ts';
import {
  defaultBackoff,
  type Backoff,
  type ClientOptions,
  type ConnectionState,
  type WebSocketLike,
} from './options.ts';
import { RunStream } from './run-stream.ts';
import type { Tokens } from './tokens.ts';

type Command =
  | { type: 'run'; agent: string; input: unknown; thread?: string; idempotency_key: string }
  | { type: 'cancel'; run: string }
  | { type: 'approve'; run: string; call: string; approved: boolean };
type Accepted = Extract<ServerFrame, { type: 'accepted' }>;

interface Pending {
  readonly text: string;
  resolve(frame: Accepted): void;
  reject(error: unknown): void;
}

/** A hello that is not answered by then is a connection that is none. */
const ready_ms = 15_000;
/** Silence after which the server is asked for a sign of life, while anything waits; then as long again to answer. */
const silence_ms = 30_000;
/** Tokens in a row that the server may refuse before we believe it. */
const maxRefusals = 2;

/**
 * The one socket of a client, shared by all its runs. Comes back by itself; what was asked is asked again (`run` by its
 * idempotency key, cancel and approve because they are idempotent), and streams go on from their cursors.
 */
export class Connection {
  readonly #options: ClientOptions;
  readonly #tokens: Tokens;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<string, RunStream>();
  readonly #subscribing = new Map<number, RunStream>();
  #state: ConnectionState | 'idle' = 'idle';
  #socket: WebSocketLike | undefined;
  #nextId = 1;
  #attempt = 0;
  #refusals = 0;
  #lastError: NetraError | undefined;
  #lost_ms = 0;
  #heard_ms = 0;
  #asked = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(options: ClientOptions, tokens: Tokens) {
    this.#options = options;
    this.#tokens = tokens;
    this.#backoff = { ...defaultBackoff, ...options.backoff };
    this.#random = options.random ?? Math.random;
  }

  /** Sends a command; settles with its answer, however many connections that takes. */
  command(command: Command): Promise<Accepted> {
    if (this.#state === 'closed') return Promise.reject(this.#closedError());
    const id = this.#nextId++;
    const text = JSON.stringify({ ...command, id });
    return new Promise<Accepted>((resolve, reject) => {
      this.#pending.set(id, { text, resolve, reject });
      if (this.#state === 'ready') this.#socket?.send(text);
      else this.#open();
    });
  }

  /** Follows a run from after `after` on. A run can be followed once at a time on one client. */
  follow(run: string, after: number, epoch: number | undefined): RunStream {
    if (this.#state === 'closed') throw this.#closedError();
    if (this.#streams.has(run)) throw new NetraError('conflict', 'This client follows the run already.');
    const stream = new RunStream(run, after, epoch);
    this.#streams.set(run, stream);
    if (this.#state === 'ready') this.#subscribe(stream);
    else this.#open();
    return stream;
  }

  unfollow(stream: RunStream): void {
    if (this.#streams.get(stream.run) === stream) this.#streams.delete(stream.run);
  }

  /** Ends for good; whatever still waits fails. */
  close(error: NetraError = this.#closedError()): void {
    if (this.#state === 'closed') return;
    this.#setState('closed');
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) {
      detach(socket);
      socket.close(1000);
    }
    this.#failAll(error);
  }

  #failAll(error: NetraError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#subscribing.clear();
    for (const stream of this.#streams.values()) stream.fail(error);
    this.#streams.clear();
  }

  #open(): void {
    if (this.#state === 'idle') void this.#connect();
  }

  async #connect(): Promise<void> {
    this.#setState('connecting');
    if (this.#lost_ms === 0) this.#lost_ms = Date.now();
    let token: string;
    try {
      token = await this.#tokens.get(this.#refusals > 0);
    } catch (error) {
      if (error instanceof NetraError && !error.retryable) this.#giveUp(error);
      else this.#retry();
      return;
    }
    if (this.#state !== 'connecting') return;
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
    const socket: WebSocketLike = new Socket(socketUrl(this.#options.url), [subprotocol]);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#drop(socket), ready_ms);
    socket.onopen = () => socket.send(JSON.stringify({ type: 'hello', token }));
    socket.onmessage = ({ data }) => this.#receive(socket, data);
    socket.onclose = ({ code }) => this.#lost(code);
    socket.onerror = () => undefined; // a close always follows, and says as much
  }

  /** Lets go of a socket without waiting for its peer, which may be gone. */
  #drop(socket: WebSocketLike): void {
    if (this.#socket !== socket) return;
    detach(socket);
    socket.close();
    this.#lost(1006);
  }

  #lost(code: number): void {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#socket = undefined;
    this.#subscribing.clear();
    const refused = this.#lastError;
    this.#lastError = undefined;
    if (this.#state === 'closed') return;
    if (code >= 4500 && code < 5000) {
      this.#refusals += 1;
      if (!this.#tokens.canRenew || this.#refusals >= maxRefusals) {
        this.#giveUp(refused ?? new NetraError('unauthenticated', 'The server refused the token.'));
        return;
      }
    }
    if (this.#pending.size === 0 && this.#streams.size === 0) {
      this.#lost_ms = 0;
      this.#setState('idle');
    } else this.#retry();
  }

  #giveUp(error: NetraError): void {
    this.#lost_ms = 0;
    this.#refusals = 0;
    this.#failAll(error);
    this.#setState('idle');
  }

  #retry(): void {
    const { give_up_ms } = this.#backoff;
    if (this.#lost_ms === 0) this.#lost_ms = Date.now();
    if (Date.now() - this.#lost_ms > give_up_ms) {
      this.#giveUp(new NetraError('unavailable', 'The server could not be reached for too long.'));
      return;
    }
    this.#setState('waiting');
    this.#timer = setTimeout(() => void this.#connect(), backoffMs(this.#backoff, this.#attempt++, this.#random));
  }

  #ready(): void {
    clearTimeout(this.#timer);
    if (this.#state === 'ready') return; // a renewed token is answered by `ready` too
    this.#attempt = 0;
    this.#refusals = 0;
    this.#lost_ms = 0;
    this.#setState('ready');
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#watchSilence(), silence_ms / 3);
    for (const { text } of this.#pending.values()) this.#socket?.send(text);
    for (const stream of this.#streams.values()) this.#subscribe(stream);
  }

  #subscribe(stream: RunStream): void {
    const id = this.#nextId++;
    this.#subscribing.set(id, stream);
    const { run, after, epoch } = stream;
    this.#socket?.send(JSON.stringify({ type: 'subscribe', id, run, after, epoch }));
  }

  #receive(socket: WebSocketLike, data: unknown): void {
    if (this.#socket !== socket || typeof data !== 'string') return;
    this.#heard_ms = Date.now();
    this.#asked = false;
    this.#options.onFrame?.(data);
    const frame = JSON.parse(data) as ServerFrame; // the server checks what it sends against the same schemas
    if ('seq' in frame && 'data' in frame) this.#event(frame);
    else this.#control(socket, frame);
  }

  #event(frame: Extract<ServerFrame, { data: unknown }>): void {
    const stream = this.#streams.get(frame.run);
    if (stream && !stream.push(frame)) this.#askAgain(stream);
  }

  #control(socket: WebSocketLike, frame: Exclude<ServerFrame, { data: unknown }>): void {
    if (frame.type === 'ready') this.#ready();
    else if (frame.type === 'accepted') this.#accepted(frame);
    else if (frame.type === 'subscribed') this.#subscribed(frame);
    else if (frame.type === 'end') this.#end(frame.run, frame.seq);
    else if (frame.type === 'reset') this.#reset(frame);
    else if (frame.type === 'error') this.#error(socket, frame);
    else if (frame.type === 'drain') this.#drain(socket, frame);
  }

  #accepted(frame: Accepted): void {
    const pending = this.#pending.get(Number(frame.id));
    this.#pending.delete(Number(frame.id));
    pending?.resolve(frame);
  }

  #subscribed(frame: Extract<ServerFrame, { type: 'subscribed' }>): void {
    const stream = this.#subscribing.get(Number(frame.id));
    this.#subscribing.delete(Number(frame.id));
    if (stream) stream.epoch = frame.epoch;
  }

  #end(run: string, seq: number): void {
    const stream = this.#streams.get(run);
    if (!stream) return;
    if (stream.after < seq) return this.#askAgain(stream);
    stream.finish();
    this.#streams.delete(run);
  }

  /** The history before `first` is gone, or is another one now: never papered over. */
  #reset({ run, ...facts }: Extract<ServerFrame, { type: 'reset' }>): void {
    const stream = this.#streams.get(run);
    this.#streams.delete(run);
    stream?.fail(
      new NetraError('conflict', `The run's history cannot be continued from here: ${facts.reason}.`, facts),
    );
  }

  /** Events are missing (R3: never passed over). Bounded: a server that can't fill the gap is not asked for ever. */
  #askAgain(stream: RunStream): void {
    if ([...this.#subscribing.values()].includes(stream)) return;
    stream.fruitless += 1;
    if (stream.fruitless <= 5) return this.#subscribe(stream);
    this.#streams.delete(stream.run);
    stream.fail(new NetraError('internal', `Events after ${stream.after} are missing.`));
  }

  #error(socket: WebSocketLike, frame: Extract<ServerFrame, { type: 'error' }>): void {
    const detail = typeof frame.limit === 'object' && frame.limit !== null ? { ...frame.limit } : {};
    const error = new NetraError(isErrorCode(frame.code) ? frame.code : 'internal', frame.message, detail);
    if (this.#state !== 'ready') this.#lastError = error;
    if (frame.id === undefined) {
      if (error.code === 'token_expired' && this.#state === 'ready') void this.#renew(socket);
      return;
    }
    const id = Number(frame.id);
    const stream = this.#subscribing.get(id);
    const pending = this.#pending.get(id);
    this.#subscribing.delete(id);
    this.#pending.delete(id);
    pending?.reject(error);
    if (!stream) return;
    // Told to wait: the backoff of a new connection is the wait.
    if (error.retryable) return this.#drop(socket);
    this.#streams.delete(stream.run);
    stream.fail(error);
  }

  async #renew(socket: WebSocketLike): Promise<void> {
    try {
      const token = await this.#tokens.get(this.#tokens.canRenew);
      if (this.#socket === socket) socket.send(JSON.stringify({ type: 'token', token }));
    } catch {
      // The server closes with 4001 when the token ends, and connecting again asks for a token again.
    }
  }

  /** This node goes away: come back after the wait it asks for, spread by its jitter. */
  #drain(socket: WebSocketLike, { after_ms, jitter_ms }: Extract<ServerFrame, { type: 'drain' }>): void {
    this.#timer = setTimeout(() => this.#drop(socket), after_ms + this.#random() * jitter_ms);
  }

  /** A half-open connection never says so. `token` is answered by `ready`: a sign of life, where browsers can't ping. */
  #watchSilence(): void {
    const socket = this.#socket;
    const waits = this.#pending.size > 0 || this.#streams.size > 0;
    if (!socket || !waits || Date.now() - this.#heard_ms < silence_ms) return;
    if (this.#asked) {
      if (Date.now() - this.#heard_ms >= 2 * silence_ms) this.#drop(socket);
      return;
    }
    this.#asked = true;
    void this.#renew(socket);
  }

  #setState(state: ConnectionState | 'idle'): void {
    this.#state = state;
    if (state !== 'idle') this.#options.onState?.(state);
  }

  #closedError(): NetraError {
    return new NetraError('unavailable', 'The client was closed.');
  }
}

function detach(socket: WebSocketLike): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
}

function socketUrl(url: string): string {
  return `${url.replace(/^http/, 'ws').replace(/\/+$/, '')}/v1/ws`;
}
