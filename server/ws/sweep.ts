import { closeCodes } from '@netra/contract';
import type { Connection } from './connection.ts';
import type { Hub } from './hub.ts';

/** Everything about sockets that time decides, on one timer: 10,000 sockets take about a millisecond a second. */
export function startSweep(hub: Hub): () => void {
  const timer = setInterval(() => {
    const now_ms = hub.platform.clock.nowMs();
    for (const connection of hub.connections.values()) sweep(connection, now_ms);
    hub.tenants.tell(now_ms);
    hub.budgets.forget(now_ms);
  }, hub.limits.sweep_ms);
  timer.unref();
  return () => clearInterval(timer);
}

function sweep(connection: Connection, now_ms: number): void {
  const { limits } = connection.hub;
  if (connection.ws.readyState !== connection.ws.OPEN) return;
  if (!connection.ctx) {
    if (now_ms - connection.opened_ms >= limits.hello_ms) refuseStranger(connection);
    return;
  }
  if (connection.isStalled(now_ms)) {
    connection.hub.counts.closed_slow += 1;
    connection.close(closeCodes.slow_reader, 'reads too slowly');
    return;
  }
  watchExpiry(connection, now_ms);
  watchSilence(connection, now_ms);
}

function refuseStranger(connection: Connection): void {
  connection.send({ type: 'error', code: 'unauthenticated', message: 'No `hello` came in time.' });
  connection.close(closeCodes.unauthenticated, 'no hello in time');
}

/** Warned first: a client that slept gets to renew, and is not cut off without knowing why. */
function watchExpiry(connection: Connection, now_ms: number): void {
  const left_ms = connection.expires_ms - now_ms;
  if (left_ms <= 0) {
    connection.close(closeCodes.token_expired, 'token expired');
    return;
  }
  if (connection.warned || left_ms > connection.hub.limits.expiry_warning_ms) return;
  connection.warned = true;
  const message = `Your token ends in ${Math.ceil(left_ms / 1000)} s: send \`token\` with a new one.`;
  connection.send({ type: 'error', code: 'token_expired', message });
}

/** A half-open socket (its peer lost power or network) never says so: only silence tells. */
function watchSilence(connection: Connection, now_ms: number): void {
  const silence_ms = now_ms - connection.seen_ms;
  if (silence_ms < connection.hub.limits.silence_ms) return;
  if (silence_ms >= 2 * connection.hub.limits.silence_ms && connection.pinged) {
    connection.ws.terminate();
  } else if (!connection.pinged) {
    connection.pinged = true;
    connection.ws.ping();
  }
}
