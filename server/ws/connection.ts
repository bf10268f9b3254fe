import type { ClientFrame, ControlFrame } from '@netra/contract';
import { closeCodes } from '@netra/contract';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Ctx } from '../platform/index.ts';
import type { Hub } from './hub.ts';

const asText = { binary: false } as const;

/**
 * One socket. An idle one costs this object, its Ctx and nothing else: no timer, no closure, no buffer of its own
 * (aim: at most twice a bare `ws` socket). Collections are made when first needed.
 */
export class Connection {
  readonly id: string;
  readonly hub: Hub;
  readonly ws: WebSocket;
  readonly address: string;
  /** Who signed in; undefined until then. Replaced when the token is renewed. */
  ctx: Ctx | undefined;
  opened_ms: number;
  /** When the credential ends; the socket ends with it. */
  expires_ms = 0;
  warned = false;
  /** Last sign of life. */
  seen_ms: number;
  pinged = false;
  /** Frames in the second that began at `second_ms`. */
  frames = 0;
  second_ms = 0;
  badFrames = 0;
  commands = 0;
  /** Frames that came while `hello` was being checked; undefined when none is. */
  waiting: ClientFrame[] | undefined;
  /** Runs followed here, by run id; aborting one ends its stream. */
  subscriptions: Map<string, AbortController> | undefined;
  /** Settles when a full buffer has drained; undefined while the reader keeps up. */
  #drained: Promise<void> | undefined;
  #stalled_ms = 0;
  #unsent_bytes = 0;
  #corked = false;
  readonly #socket: Duplex;

  constructor(hub: Hub, ws: WebSocket, socket: Duplex, address: string) {
    this.id = hub.platform.ids.uuid();
    this.hub = hub;
    this.ws = ws;
    this.#socket = socket;
    this.address = address;
    this.opened_ms = hub.platform.clock.nowMs();
    this.seen_ms = this.opened_ms;
  }

  /** Sends an answer or a notice. A reader that lets even those pile up is cut off: memory stays bounded. */
  send(frame: ControlFrame): void {
    if (this.ws.bufferedAmount > this.hub.limits.buffered_max_bytes) {
      this.close(closeCodes.slow_reader, 'too much unread');
      return;
    }
    this.sendBytes(JSON.stringify(frame));
  }

  /** Sends one text frame; those of one tick leave in one write. */
  sendBytes(frame: string | Buffer): void {
    if (this.ws.readyState !== this.ws.OPEN) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      this.hub.uncorkLater(this);
    }
    this.ws.send(frame, asText);
    this.hub.counts.frames_out += 1;
  }

  uncork(): void {
    this.#corked = false;
    this.#socket.uncork();
  }

  /** Undefined while the reader keeps up; else settles once it has taken everything that is buffered. */
  whenWritable(): Promise<void> | undefined {
    if (this.#drained || this.ws.bufferedAmount <= this.hub.limits.buffered_bytes) return this.#drained;
    this.#stalled_ms = this.hub.platform.clock.nowMs();
    this.#unsent_bytes = this.ws.bufferedAmount;
    this.#drained = new Promise((resolve) => {
      const settle = (): void => {
        this.#socket.off('drain', settle);
        this.#socket.off('close', settle);
        this.#drained = undefined;
        resolve();
      };
      this.#socket.on('drain', settle);
      this.#socket.on('close', settle);
    });
    return this.#drained;
  }

  /** True if the reader has taken nothing for `stalled_ms`. Asked by the sweep. */
  isStalled(now_ms: number): boolean {
    if (!this.#drained) return false;
    const unsent_bytes = this.ws.bufferedAmount;
    if (unsent_bytes < this.#unsent_bytes) {
      this.#unsent_bytes = unsent_bytes;
      this.#stalled_ms = now_ms;
    }
    return now_ms - this.#stalled_ms >= this.hub.limits.stalled_ms;
  }

  close(code: number, reason: string): void {
    this.ws.close(code, reason);
    // A stalled reader never answers the close frame, which waits behind what it does not read.
    if (code === closeCodes.slow_reader) this.ws.terminate();
  }

  /** Lets go of everything that the socket held. */
  release(): void {
    for (const subscription of this.subscriptions?.values() ?? []) subscription.abort();
    this.subscriptions = undefined;
    this.waiting = undefined;
  }
}
