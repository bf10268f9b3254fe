import { NetraError, subprotocol, type ServerFrame } from '@netra/contract';
import { backoffMs } from './backoff.ts';
import { errorOf, Exchange } from './exchange.ts';
import { defaultBackoff, type Backoff, type ClientOptions, type ConnectionState } from './options.ts';
import type { WebSocketLike } from './options.ts';
import { abandon, socketUrl } from './socket.ts';
import type { Tokens } from './tokens.ts';

type Frame<Type extends ServerFrame['type']> = Extract<ServerFrame, { type: Type }>;

/** A hello that is not answered by then is a connection that is none. */
const ready_ms = 15_000;
/** Silence after which the server is asked for a sign of life, while anything waits; then as long again to answer. */
const silence_ms = 30_000;
/** Tokens in a row that the server may refuse before we believe it. */
const maxRefusals = 2;

/** The one socket of a client, shared by all its runs. Opens when it is needed, and comes back by itself. */
export class Connection {
  readonly exchange: Exchange;
  readonly #options: ClientOptions;
  readonly #tokens: Tokens;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #state: ConnectionState | 'idle' = 'idle';
  #socket: WebSocketLike | undefined;
  #attempt = 0;
  #refusals = 0;
  #lastError: NetraError | undefined;
  #lost_ms: number | undefined;
  #heard_ms = 0;
  #asked = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(options: ClientOptions, tokens: Tokens) {
    this.#options = options;
    this.#tokens = tokens;
    this.#backoff = { ...defaultBackoff, ...options.backoff };
    this.#random = options.random ?? Math.random;
    this.exchange = new Exchange({ wake: () => this.#wake(), again: () => this.#drop(this.#socket) });
  }

  /** Ends for good; whatever still waits fails. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#setState('closed');
    this.#stopTimers();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) abandon(socket);
    this.exchange.detach();
    this.exchange.failAll(closedError());
  }

  #wake(): void {
    if (this.#state === 'closed') queueMicrotask(() => this.exchange.failAll(closedError()));
    if (this.#state === 'idle') void this.#connect();
  }

  async #connect(): Promise<void> {
    this.#setState('connecting');
    this.#lost_ms ??= Date.now();
    let token: string;
    try {
      token = await this.#tokens.get(this.#refusals > 0);
    } catch (error) {
      if (error instanceof NetraError && !error.retryable) this.#giveUp(error);
      else this.#retry();
      return;
    }
    if (this.#state === 'connecting') this.#openSocket(token);
  }

  #openSocket(token: string): void {
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
  #drop(socket: WebSocketLike | undefined): void {
    if (!socket || this.#socket !== socket) return;
    abandon(socket);
    this.#lost(1006);
  }

  #lost(code: number): void {
    this.#stopTimers();
    this.#socket = undefined;
    this.exchange.detach();
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
    if (this.exchange.waits) return this.#retry();
    this.#lost_ms = undefined;
    this.#setState('idle');
  }

  #giveUp(error: NetraError): void {
    this.#lost_ms = undefined;
    this.#refusals = 0;
    this.#attempt = 0;
    if (this.#state !== 'closed') this.#setState('idle');
    this.exchange.failAll(error);
  }

  #retry(): void {
    if (this.#state === 'closed') return;
    this.#lost_ms ??= Date.now();
    if (Date.now() - this.#lost_ms > this.#backoff.give_up_ms) {
      this.#giveUp(new NetraError('unavailable', 'The server could not be reached for too long.'));
      return;
    }
    this.#setState('waiting');
    const wait_ms = backoffMs(this.#backoff, this.#attempt, this.#random);
    this.#attempt += 1;
    this.#timer = setTimeout(() => void this.#connect(), wait_ms);
  }

  #receive(socket: WebSocketLike, data: unknown): void {
    if (this.#socket !== socket || typeof data !== 'string') return;
    this.#heard_ms = Date.now();
    this.#asked = false;
    this.#options.onFrame?.(data);
    const frame = JSON.parse(data) as ServerFrame; // the server checks what it sends against the same schemas
    if (frame.type === 'ready') this.#ready(socket);
    else if (frame.type === 'drain') this.#drain(socket, frame);
    else if (frame.type === 'error' && frame.id === undefined) this.#warned(socket, frame);
    else this.exchange.receive(frame);
  }

  #ready(socket: WebSocketLike): void {
    if (this.#state === 'ready') return; // a renewed token is answered by `ready` too
    this.#stopTimers();
    this.#attempt = 0;
    this.#refusals = 0;
    this.#lost_ms = undefined;
    this.#setState('ready');
    this.#watch = setInterval(() => this.#watchSilence(socket), silence_ms / 3);
    this.exchange.attach((text) => socket.send(text));
  }

  #warned(socket: WebSocketLike, frame: Frame<'error'>): void {
    this.#lastError = errorOf(frame);
    if (this.#state === 'ready' && frame.code === 'token_expired') void this.#renew(socket, true);
  }

  /** `token` is answered by `ready`: a new token, and a sign of life where browsers can't ping. */
  async #renew(socket: WebSocketLike, another: boolean): Promise<void> {
    try {
      const token = await this.#tokens.get(another);
      if (this.#socket === socket) socket.send(JSON.stringify({ type: 'token', token }));
    } catch {
      // The server closes with 4001 when the token ends, and connecting again asks for a token again.
    }
  }

  /** This node goes away: come back after the wait it asks for, spread by its jitter. */
  #drain(socket: WebSocketLike, { after_ms, jitter_ms }: Frame<'drain'>): void {
    this.#timer = setTimeout(() => this.#drop(socket), after_ms + this.#random() * jitter_ms);
  }

  /** A half-open connection never says so. */
  #watchSilence(socket: WebSocketLike): void {
    const silent_ms = Date.now() - this.#heard_ms;
    if (!this.exchange.waits || silent_ms < silence_ms) return;
    if (this.#asked && silent_ms >= 2 * silence_ms) return this.#drop(socket);
    if (this.#asked) return;
    this.#asked = true;
    void this.#renew(socket, false);
  }

  #stopTimers(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
  }

  #setState(state: ConnectionState | 'idle'): void {
    this.#state = state;
    if (state !== 'idle') this.#options.onState?.(state);
  }
}

function closedError(): NetraError {
  return new NetraError('unavailable', 'The client was closed.');
}
