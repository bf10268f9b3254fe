import { isTerminal, subprotocol, type ClientFrame, type EventFrame, type ServerFrame } from '@netra/contract';
import { WebSocket, type RawData } from 'ws';
import { checkFrame } from './check-frame.ts';
import { parseFrame } from './parse-frame.ts';

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A raw socket that keeps every frame it got; each, and each that it sends, is checked against docs/asyncapi.yaml. */
export interface TestSocket {
  /** All frames so far, in order. */
  readonly frames: readonly ServerFrame[];
  /** The run events among them, of one run or of all. */
  events(run?: string): readonly EventFrame[];
  send(frame: ClientFrame): void;
  /** Sends the text as it is, to see what the server does with a bad one. */
  sendRaw(text: string): void;
  /** Resolves to the first frame, old or new, that matches; fails at the deadline, or when the socket closes before. */
  waitFor<T extends ServerFrame>(
    what: string,
    matches: ((frame: ServerFrame) => frame is T) | ((frame: ServerFrame) => boolean),
    deadline_ms?: number,
  ): Promise<T>;
  /** Resolves to the terminal event of the run. */
  waitForEnd(run: string, deadline_ms?: number): Promise<EventFrame>;
  /** Resolves when the socket is closed, by whichever side. */
  readonly closed: Promise<Closed>;
  /** Closes it cleanly. */
  close(): Promise<Closed>;
  /** Cuts the connection as a dead network would: no close frame. */
  cut(): void;
}

interface Waiter {
  readonly look: (frame: ServerFrame) => void;
  readonly fail: (error: Error) => void;
}

/** Opens a socket without a token: the first frame is the caller's. */
export async function openSocket(options: {
  readonly ws: string;
  readonly headers?: Readonly<Record<string, string>>;
}): Promise<TestSocket> {
  const socket = new WebSocket(options.ws, subprotocol, { headers: { ...options.headers } });
  const log = new FrameLog(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return log;
}

/** Opens a socket, says hello with the token and waits until the server is ready. */
export async function connectSocket(options: { readonly ws: string; readonly token: string }): Promise<TestSocket> {
  const socket = await openSocket({ ws: options.ws });
  socket.send({ type: 'hello', token: options.token });
  await socket.waitFor('ready', (frame) => frame.type === 'ready');
  return socket;
}

export function isEvent(frame: ServerFrame): frame is EventFrame {
  return 'epoch' in frame && 'at' in frame;
}

class FrameLog implements TestSocket {
  readonly frames: ServerFrame[] = [];
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  readonly #waiters = new Set<Waiter>();
  #ended: Error | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<Closed>();
    this.closed = promise;
    socket.on('message', (data) => this.#receive(data));
    // A broken connection also closes; the close says all that a waiter needs.
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      this.#end(new Error(`the socket closed with ${code} ${reason.toString()}`));
      resolve({ code, reason: reason.toString() });
    });
  }

  events(run?: string): readonly EventFrame[] {
    return this.frames.filter(isEvent).filter((event) => run === undefined || event.run === run);
  }

  send(frame: ClientFrame): void {
    checkFrame('fromClient', frame);
    this.#socket.send(JSON.stringify(frame));
  }

  sendRaw(text: string): void {
    this.#socket.send(text);
  }

  waitFor<T extends ServerFrame>(
    what: string,
    matches: ((frame: ServerFrame) => frame is T) | ((frame: ServerFrame) => boolean),
    deadline_ms = 15_000,
  ): Promise<T> {
    const isWanted = (frame: ServerFrame): frame is T => matches(frame);
    const known = this.frames.find(isWanted);
    if (known !== undefined) return Promise.resolve(known);
    if (this.#ended !== undefined) return Promise.reject(new Error(`${what}: ${this.#ended.message}`));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => reject(new Error(`${what}: ${this.#soFar(deadline_ms)}`)), deadline_ms);
    const waiter: Waiter = {
      look: (frame) => {
        if (isWanted(frame)) resolve(frame);
      },
      fail: (error) => reject(new Error(`${what}: ${error.message}`)),
    };
    this.#waiters.add(waiter);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    });
  }

  waitForEnd(run: string, deadline_ms?: number): Promise<EventFrame> {
    const isEnd = (frame: ServerFrame): frame is EventFrame =>
      isEvent(frame) && frame.run === run && isTerminal(frame.type);
    return this.waitFor(`the terminal event of run ${run}`, isEnd, deadline_ms);
  }

  close(): Promise<Closed> {
    this.#socket.close();
    return this.closed;
  }

  cut(): void {
    this.#socket.terminate();
  }

  #receive(data: RawData): void {
    const text = textOfFrame(data);
    try {
      const frame = parseFrame(text);
      this.frames.push(frame);
      for (const waiter of this.#waiters) waiter.look(frame);
    } catch (error) {
      // A frame outside the contract fails whoever waits, now and later.
      this.#end(new Error(`a frame outside the contract: ${text}`, { cause: error }));
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const waiter of this.#waiters) waiter.fail(this.#ended);
  }

  #soFar(deadline_ms: number): string {
    return `not within ${deadline_ms} ms, after ${this.frames.map((frame) => frame.type).join(', ') || 'no frame'}`;
  }
}

function textOfFrame(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString();
}
