import { errorCatalogue, NetraError } from '@netra/contract';
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Principal } from '../platform/index.ts';
import type { Hub } from './hub.ts';

const path = '/v1/ws';

/**
 * May this upgrade happen? Returns who asks if an Authorization header says so, undefined if `hello` shall; throws
 * NetraError to refuse.
 */
export async function admitUpgrade(
  hub: Hub,
  origins: ReadonlySet<string>,
  request: IncomingMessage,
): Promise<Principal | undefined> {
  if (request.url?.split('?', 1)[0] !== path) throw new NetraError('not_found', 'There is nothing at this path.');
  if (hub.draining) throw new NetraError('draining', 'This node is going away; reconnect.');
  // Browsers let any page open a WebSocket and send cookies along; the Origin is what tells (RFC 6455 §10.2). No
  // Origin = not a browser.
  const { origin, authorization } = request.headers;
  if (origin !== undefined && !origins.has(origin)) throw new NetraError('forbidden', 'This origin is not allowed.');
  if (authorization !== undefined) {
    const token = /^bearer +([\w\-.~+/]+=*)$/i.exec(authorization)?.[1];
    if (token === undefined)
      throw new NetraError('unauthenticated', 'The Authorization header must be `Bearer <token>`.');
    return hub.accounts.authenticate(hub.platform, token);
  }
  const { unauthenticated, unauthenticated_address } = hub.limits;
  const ofAddress = hub.strangers.get(addressOf(request)) ?? 0;
  if (hub.counts.unauthenticated >= unauthenticated || ofAddress >= unauthenticated_address) {
    throw new NetraError('unavailable', 'Too many connections that have not signed in; try again.');
  }
  return undefined;
}

export function addressOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? '';
}

/** Answers the upgrade with plain HTTP and ends the connection. */
export function refuseUpgrade(hub: Hub, socket: Duplex, thrown: unknown): void {
  const known = thrown instanceof NetraError;
  if (!known) hub.platform.log.error({ err: thrown }, 'upgrade failed');
  const error = known ? thrown : new NetraError('internal', 'Something went wrong on our side. Try again.');
  const { code, status, message, retryable } = error;
  const { title } = errorCatalogue[code];
  const body = JSON.stringify({ type: `urn:netra:error:${code}`, title, status, detail: message, code, retryable });
  const headers = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    ...(status === 503 ? ['Retry-After: 1'] : []),
  ];
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`);
}
