import { closeCodes, NetraError } from '@netra/contract';
import { Gauge } from 'prom-client';
import type { WebSocket } from 'ws';
import type { Platform } from '../platform/index.ts';
import type { Connection } from './connection.ts';
import type { Limits } from './limits.ts';
import { FrameBudgets } from './frame-budgets.ts';
import { TenantCounts } from './tenant-counts.ts';
import type { Authenticator, RequestCounter, Rooms } from './rooms.ts';

/** What all sockets of a server share. */
export class Hub {
  readonly platform: Platform;
  readonly accounts: Authenticator;
  readonly plans: RequestCounter;
  readonly rooms: Rooms;
  readonly limits: Limits;
  readonly connections = new Map<WebSocket, Connection>();
  /** Sockets that have not signed in, by address. */
  readonly strangers = new Map<string, number>();
  readonly tenants: TenantCounts;
  readonly budgets: FrameBudgets;
  readonly counts = { frames_in: 0, frames_out: 0, unauthenticated: 0, subscriptions: 0, closed_slow: 0 };
  draining = false;
  #corked: Connection[] = [];

  constructor(options: Pick<Hub, 'platform' | 'accounts' | 'plans' | 'rooms' | 'limits'>) {
    this.platform = options.platform;
    this.accounts = options.accounts;
    this.plans = options.plans;
    this.rooms = options.rooms;
    this.limits = options.limits;
    this.tenants = new TenantCounts(options.platform, options.limits);
    this.budgets = new FrameBudgets(options.platform, options.limits);
    exportCounts(this);
  }

  /** Uncorks at the end of this tick, after every microtask: all runs that one group commit woke share a write. */
  uncorkLater(connection: Connection): void {
    if (this.#corked.push(connection) > 1) return;
    process.nextTick(() => {
      const corked = this.#corked;
      this.#corked = [];
      for (const one of corked) one.uncork();
    });
  }

  /** Answers with an error frame. Unknown errors are redacted, and logged whole once. */
  refuse(connection: Connection, id: string | number | undefined, thrown: unknown): void {
    const error = this.toNetraError(thrown, connection);
    connection.send({
      type: 'error',
      ...(id === undefined ? {} : { id }),
      code: error.code,
      message: error.message,
      ...(Object.keys(error.detail).length === 0 ? {} : { limit: withoutBigints(error.detail) }),
    });
  }

  toNetraError(thrown: unknown, connection: Connection): NetraError {
    if (thrown instanceof NetraError) return thrown;
    this.platform.log.error(
      { err: thrown, connection: connection.id, trace_id: connection.ctx?.trace_id },
      'frame failed',
    );
    return new NetraError('internal', 'Something went wrong on our side. Try again.');
  }

  /** A socket arrived that nobody has signed in on. */
  addStranger(address: string): void {
    this.counts.unauthenticated += 1;
    this.strangers.set(address, (this.strangers.get(address) ?? 0) + 1);
  }

  removeStranger(address: string): void {
    this.counts.unauthenticated -= 1;
    const left = (this.strangers.get(address) ?? 1) - 1;
    if (left > 0) this.strangers.set(address, left);
    else this.strangers.delete(address);
  }

  violate(connection: Connection, reason: string): void {
    connection.close(closeCodes.policy_violation, reason);
  }
}

function withoutBigints(detail: Readonly<Record<string, unknown>>): unknown {
  return JSON.parse(JSON.stringify(detail, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)));
}

/** Read when scraped, so that counting costs an addition. */
function exportCounts(hub: Hub): void {
  const registers = [hub.platform.metrics];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge('netra_socket_connections', 'Open WebSocket connections', () => hub.connections.size);
  gauge('netra_socket_unauthenticated', 'Open sockets nobody has signed in on', () => hub.counts.unauthenticated);
  gauge('netra_socket_subscriptions', 'Runs followed over sockets', () => hub.counts.subscriptions);
  gauge('netra_socket_frames_in_total', 'Frames received since start', () => hub.counts.frames_in);
  gauge('netra_socket_frames_out_total', 'Frames sent since start', () => hub.counts.frames_out);
  gauge('netra_socket_closed_slow_total', 'Sockets closed as slow readers since start', () => hub.counts.closed_slow);
}
