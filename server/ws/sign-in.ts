import { closeCodes, maxFrameBytes, NetraError, type ClientFrame } from '@netra/contract';
import type { Principal } from '../platform/index.ts';
import type { Connection } from './connection.ts';

/**
 * `hello`: signs the socket in. Resolves to the frames that came meanwhile, which are to be handled now. A wrong token
 * ends the socket.
 */
export async function signIn(
  connection: Connection,
  frame: Extract<ClientFrame, { type: 'hello' }>,
): Promise<readonly ClientFrame[]> {
  const { hub } = connection;
  if (connection.ctx || connection.waiting) {
    hub.refuse(connection, frame.id, new NetraError('invalid_frame', 'Already signed in: send `token` to renew.'));
    return [];
  }
  connection.waiting = [];
  try {
    admitPrincipal(connection, await hub.accounts.authenticate(hub.platform, frame.token));
  } catch (error) {
    connection.waiting = undefined;
    hub.refuse(connection, frame.id, error);
    const known = error instanceof NetraError && error.status === 401;
    connection.close(known ? closeCodes.unauthenticated : closeCodes.try_again_later, 'not signed in');
    return [];
  }
  const waiting = connection.waiting ?? [];
  connection.waiting = undefined;
  return waiting;
}

/** The socket belongs to `principal` from now on; says `ready`. */
export function admitPrincipal(connection: Connection, principal: Principal): void {
  const { hub } = connection;
  if (!hub.connections.has(connection.ws)) return;
  if (!connection.ctx) hub.removeStranger(connection.address);
  setPrincipal(connection, principal);
  const { buffered_bytes, subscriptions } = hub.limits;
  connection.send({
    type: 'ready',
    connection: connection.id,
    expires_in: expiresIn(connection),
    limits: { frame_bytes: maxFrameBytes, buffered_bytes, subscriptions },
  });
}

/** `token`: renews the credential of the same user of the same organisation, and of no other. */
export async function renewToken(
  connection: Connection,
  frame: Extract<ClientFrame, { type: 'token' }>,
): Promise<void> {
  const { hub, ctx } = connection;
  if (!ctx) throw new NetraError('unauthenticated', 'Send `hello` first.');
  const principal = await hub.accounts.authenticate(hub.platform, frame.token);
  if (principal.org_id !== ctx.principal.org_id || principal.user_id !== ctx.principal.user_id) {
    throw new NetraError('forbidden', 'This token belongs to someone else; open another connection for it.');
  }
  admitPrincipal(connection, principal);
}

function setPrincipal(connection: Connection, principal: Principal): void {
  const { platform, limits } = connection.hub;
  connection.ctx = { platform, principal, trace_id: connection.id.replaceAll('-', '') };
  connection.expires_ms = principal.expires_at_ms ?? platform.clock.nowMs() + limits.credential_ms;
  connection.warned = false;
}

function expiresIn(connection: Connection): number {
  return Math.max(0, Math.floor((connection.expires_ms - connection.hub.platform.clock.nowMs()) / 1000));
}
