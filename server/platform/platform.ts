import type { Clock } from './clock.ts';
import type { ClickHouse } from './clickhouse.ts';
import type { Config } from './config.ts';
import type { Ids } from './ids.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Outgoing } from './outgoing.ts';
import type { Postgres } from './postgres.ts';
import type { Redis } from './redis.ts';

/** What every room stands on. Made once by main.ts and passed as a value; nothing here is global. */
export interface Platform {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Uniform in [0, 1). Passed in, so that a test can replay a schedule from its seed. */
  readonly random: () => number;
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly redis: Redis;
  readonly metrics: Metrics;
  /** For addresses that a tenant chose. */
  readonly outgoing: Outgoing;
  /** This server process, unique among all: the name it holds leases under. */
  readonly node_id: string;
}

export type Role = 'owner' | 'admin' | 'member' | 'viewer';

/** Who asks. Made by accounts/ from a token or key; never from anything a caller may choose. */
export interface Principal {
  readonly org_id: string;
  readonly user_id: string;
  readonly role: Role;
  readonly kind: 'user' | 'api_key';
  /** When the credential ends; null for one that does not. Epoch milliseconds. */
  readonly expires_at_ms: number | null;
}

/** What an adapter needs of accounts: who a token belongs to. Throws `unauthenticated` or `token_expired`. */
export interface Authenticator {
  authenticate(platform: Platform, token: string): Promise<Principal>;
}

/** What each verb gets: the platform, who asks, and the trace that ties log lines together. */
export interface Ctx {
  readonly platform: Platform;
  readonly principal: Principal;
  readonly trace_id: string;
}
