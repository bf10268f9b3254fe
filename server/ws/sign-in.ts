import { closeCodes, maxFrameBytes, NetraError, type ClientFrame } from '@netra/contract';
import type { Principal } from '../platform/index.ts';
import type { Connection } from './connection.ts';

/**
 * Signs the socket in: `hello`, or whoever came with the upgrade. Resolves to the frames that came meanwhile, which are
 * to be handled now. A wrong token ends the socket, and so does one socket too many.
 */
export async function signIn(
  connection: Connection,
  who: Extract<ClientFrame, { type: 'hello' }> | { readonly principal: Principal },
): Promise<readonly ClientFrame[]> {
  const { hub } = connection;
  const id = 'type' in who ? who.id : undefined;
  if (connection.ctx || connection.waiting) {
    hub.refuse(connection, id, new NetraError('invalid_frame', 'Already signed in: send `token` to renew.'));
    return [];
  }
  connection.waiting = [];
  try {
    const principal = 'type' in who ? await hub.accounts.authenticate(hub.platform, who.token) : who.principal;
    await hub.tenants.takeSocket(principal);
    // Gone meanwhile: nobody will give its place back.
    if (hub.connections.has(connection.ws)) admitPrincipal(connection, principal);
    else hub.tenants.giveSocket(principal);
  } catch (error) {
    connection.waiting = undefined;
    hub.refuse(connection, id, error);
    const known = error instanceof NetraError && error.status === 401;
    connection.close(known ? closeCodes.unauthenticated : closeCodes.try_again_later, 'not signed in');
    return [];
  }
  const waiting = connection.waiting ?? [];
  connection.waiting = undefined;
  return waiting;
}

/** The socket belongs to `principal` from now on; says `ready`. */
function admitPrincipal(connection: Connection, principal: Principal): void {
  const { hub } = connection;
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
  if (hub.connections.has(connection.ws)) admitPrincipal(connection, principal);
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
