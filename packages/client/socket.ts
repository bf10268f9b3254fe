import type { WebSocketLike } from './options.ts';

/** Lets go of a socket: it says nothing more to us, whatever its peer still sends. */
export function abandon(socket: WebSocketLike): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
  socket.close();
}

/** Where the socket of a server is. */
export function socketUrl(url: string): string {
  return `${url.replace(/^http/, 'ws').replace(/\/+$/, '')}/v1/ws`;
}
