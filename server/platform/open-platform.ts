import { hostname } from 'node:os';
import { deriveAppUrl } from './app-url.ts';
import { systemClock } from './clock.ts';
import type { Config, LoadedConfig } from './config.ts';
import { systemIds } from './ids.ts';
import { openLog, type Log } from './log.ts';
import { openMetrics } from './metrics.ts';
import { observePool } from './observe-pool.ts';
import { openClickHouse } from './open-clickhouse.ts';
import { openOutgoing } from './outgoing.ts';
import { openPostgres } from './open-postgres.ts';
import { openRedis } from './open-redis.ts';
import type { Platform } from './platform.ts';
import { openInProcessRedis } from './redis-in-process.ts';
import { settleConfig } from './settle-config.ts';

/** Where the stores answer: the configured servers, or what openEmbeddedStores says. */
export interface StoreUrls {
  /** The owner's login. */
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  /** Its name, where ClickHouse is one. */
  readonly clickhouse_cluster?: string | null;
  /** The application's login where it is not derived from the owner's. */
  readonly postgres_app_url?: string | null;
  /** null or absent = the in-process engine. */
  readonly redis_url?: string | null;
}

export interface PlatformOptions {
  readonly config: Config | LoadedConfig;
  readonly urls: StoreUrls;
  /** `app` is bound by row-level security (T1); `owner` is for migrations and for libraries that bring their schema. */
  readonly role: 'app' | 'owner';
  readonly log?: Log;
  readonly node_id?: string;
}

export interface OpenPlatform extends Platform {
  /** Closes the stores' connections, not the stores. */
  close(): Promise<void>;
}

/** The URL that `role` logs in by. */
export function postgresUrlFor(role: 'app' | 'owner', urls: StoreUrls): string {
  return role === 'owner' ? urls.postgres_url : (urls.postgres_app_url ?? deriveAppUrl(urls.postgres_url));
}

/** Wires the platform of one node. Connections are made on first use; only Redis is awaited, for at most 2 s. */
export async function openPlatform({ config, urls, role, ...given }: PlatformOptions): Promise<OpenPlatform> {
  const node_id = given.node_id ?? `${hostname()}-${process.pid}-${systemIds.uuid().slice(-8)}`;
  const log = (given.log ?? openLog({ level: config.log_level })).child({ node: node_id });
  const clock = systemClock;
  const pool_size = config.postgres_pool;
  const postgres = openPostgres(postgresUrlFor(role, urls), {
    pool_size,
    log,
    application_name: `netra ${role}`,
    prepared: config.postgres_prepared,
  });
  const metrics = openMetrics({ process: true });
  observePool(metrics, postgres.pool, `postgres_${role}`);
  const clickhouse = openClickHouse(urls.clickhouse_url, { log });
  const redis = urls.redis_url ? await openRedis(urls.redis_url, { clock, log }) : openInProcessRedis({ clock });
  return {
    config: settleConfig(config),
    log,
    clock,
    ids: systemIds,
    random: Math.random,
    postgres,
    clickhouse,
    redis,
    metrics,
    outgoing: openOutgoing({ loopback: config.outgoing_loopback }),
    node_id,
    close: async () => {
      await Promise.all([postgres.close(), clickhouse.close(), redis.close()]);
    },
  };
}
