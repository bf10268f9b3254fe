/** A handler whose event may be a class of its own: a method's parameter is compared both ways. */
type Handler<Event> = { handle(event: Event): void }['handle'] | null;

/** What a WebSocket class must be able to do: the browser's, Node's, and that of the package `ws` all can. */
export interface WebSocketLike {
  onopen: Handler<object>;
  onmessage: Handler<{ readonly data: unknown }>;
  onclose: Handler<{ readonly code: number; readonly reason: string }>;
  onerror: Handler<object>;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

export interface ClientOptions {
  /** Where Netra serves, e.g. `http://127.0.0.1:4100`. */
  readonly url: string;
  /** An access token or API key. One of `token`, `getToken`, or signing in by the client. */
  readonly token?: string;
  /** Gives a token that is valid now. Asked at each connect, and again when the server says it ends. */
  readonly getToken?: () => Promise<string> | string;
  /** The class to open sockets with; the global one by default. */
  readonly WebSocket?: WebSocketClass;
  /** Every frame of the server exactly as it came. */
  readonly onFrame?: (frame: string) => void;
  /** Told when the connection comes and goes. */
  readonly onState?: (state: ConnectionState) => void;
  readonly backoff?: Partial<Backoff>;
  /** Uniform in [0, 1): the jitter's. Passed in, so that a test can replay a schedule. */
  readonly random?: () => number;
}

export type ConnectionState = 'connecting' | 'ready' | 'waiting' | 'closed';

/** How a lost connection is tried again: full jitter, a wait uniform in [0, min(max_ms, first_ms · 2^attempt)). */
export interface Backoff {
  readonly first_ms: number;
  readonly max_ms: number;
  /** After so long without a connection, what waits for one fails with `unavailable`. */
  readonly give_up_ms: number;
}

export const defaultBackoff: Backoff = { first_ms: 200, max_ms: 10_000, give_up_ms: 300_000 };
