import { closeCodes, maxFrameBytes, subprotocol } from '@netra/contract';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Platform, Principal } from '../platform/index.ts';
import { addressOf, admitUpgrade, refuseUpgrade } from './admit-upgrade.ts';
import { Connection } from './connection.ts';
import { countFrame, greet, receive } from './handle-frame.ts';
import { Hub } from './hub.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { Authenticator, RequestCounter, Rooms } from './rooms.ts';
import { startSweep } from './sweep.ts';

export type { Limits } from './limits.ts';
export type { Authenticator, RequestCounter, Rooms } from './rooms.ts';

export interface WebSocketOptions {
  readonly server: Server;
  readonly platform: Platform;
  readonly accounts: Authenticator;
  readonly plans: RequestCounter;
  readonly rooms: Rooms;
  /** Origins of browsers that may connect. A client that sends no Origin is not a browser, and may. */
  readonly origins: readonly string[];
  readonly limits?: Partial<Limits>;
}

/** Of `ws` 8.23; its types know them no further than 8.18. */
const bounds = {
  // Who was told to go and does not answer is cut off.
  closeTimeout: 5_000,
  // What a frame may be cut into: each part costs a header, however empty it is.
  maxFragments: 1024,
  maxBufferedChunks: 4096,
};

export interface WebSocketSurface {
  /**
   * Refuses new sockets, tells the open ones to come back elsewhere (`drain`) from `notice_ms` on, when balancers know
   * of it, and closes those still there after `drain_ms` with 4010.
   */
  close(drain_ms: number, notice_ms?: number): Promise<void>;
}

/** Serves the protocol of docs/PROTOCOL.md at /v1/ws of `server`. */
export function attachWebSocket(options: WebSocketOptions): WebSocketSurface {
  const { server, platform, accounts, plans, rooms } = options;
  const hub = new Hub({ platform, accounts, plans, rooms, limits: { ...defaultLimits, ...options.limits } });
  const origins = new Set(options.origins);
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Compression costs gigabytes at 10,000 sockets, and our frames are small.
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    ...bounds,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', ignore);
    admitUpgrade(hub, origins, request).then(
      (principal) => sockets.handleUpgrade(request, socket, head, (ws) => accept(hub, ws, socket, request, principal)),
      (error: unknown) => refuseUpgrade(hub, socket, error),
    );
  };
  server.on('upgrade', onUpgrade);
  const stopSweep = startSweep(hub);
  return {
    async close(drain_ms, notice_ms = 0) {
      hub.draining = true;
      // Upgrades are refused as long as the server takes connections.
      await drain(hub, drain_ms, notice_ms);
      stopSweep();
      hub.tenants.tell(platform.clock.nowMs());
      sockets.close();
    },
  };
}

function ignore(): void {
  // The close that follows an error says all there is to do.
}

function accept(hub: Hub, ws: WebSocket, socket: Duplex, request: IncomingMessage, principal?: Principal): void {
  const connection = new Connection(hub, ws, socket, addressOf(request));
  hub.connections.set(ws, connection);
  hub.addStranger(connection.address);
  connectionOf.set(ws, connection);
  // The same five functions for every socket: closures of its own would be half the memory of an idle one.
  ws.on('message', onMessage);
  ws.on('ping', onPing);
  ws.on('pong', onPong);
  ws.on('close', onClose);
  ws.on('error', ignore);
  if (principal) void greet(connection, { principal });
}

const connectionOf = new WeakMap<WebSocket, Connection>();

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const connection = connectionOf.get(this);
  // Frames of a chunk that was already read still come after we closed.
  if (connection && this.readyState === this.OPEN) receive(connection, data, isBinary);
}

function onPing(this: WebSocket): void {
  const connection = connectionOf.get(this);
  if (connection && this.readyState === this.OPEN) countFrame(connection);
}

function onPong(this: WebSocket): void {
  const connection = connectionOf.get(this);
  if (!connection) return;
  connection.seen_ms = connection.hub.platform.clock.nowMs();
  connection.pinged = false;
}

function onClose(this: WebSocket): void {
  const connection = connectionOf.get(this);
  if (!connection) return;
  const { hub } = connection;
  hub.connections.delete(this);
  if (connection.ctx) hub.tenants.giveSocket(connection.ctx.principal);
  else hub.removeStranger(connection.address);
  connection.release();
}

/** A node that stays can take this many reconnections in a millisecond. */
const comeBacks_ms = 1;
/** What a client may take to leave beyond its part of the jitter. */
const leave_ms = 1000;

async function drain(hub: Hub, drain_ms: number, notice_ms: number): Promise<void> {
  // Spread over as long as it takes: all at once would fall upon the nodes that stay.
  const jitter_ms = Math.min(Math.floor(drain_ms / 2), Math.ceil(hub.connections.size / comeBacks_ms));
  for (const connection of hub.connections.values()) connection.send({ type: 'drain', after_ms: notice_ms, jitter_ms });
  await untilEmpty(hub, notice_ms + Math.min(drain_ms, jitter_ms + leave_ms));
  for (const connection of hub.connections.values()) connection.close(closeCodes.draining, 'draining');
  await untilEmpty(hub, Math.min(drain_ms, leave_ms));
  for (const connection of hub.connections.values()) connection.ws.terminate();
}

/** Settles when the last socket has gone, or time is up. */
async function untilEmpty(hub: Hub, time_ms: number): Promise<void> {
  const deadline_ms = performance.now() + time_ms;
  while (hub.connections.size > 0 && performance.now() < deadline_ms) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
