import type { Log } from '../log.ts';
import type { StoreUrls } from '../open-platform.ts';
import { appRole, authRole } from '../app-url.ts';
import { setLogin } from './app-login.ts';
import type { MigrationStatus, OnProgress } from './applied.ts';
import { downClickHouse, statusClickHouse, upClickHouse } from './migrate-clickhouse.ts';
import {
  downPostgres,
  keptOfPostgres,
  statusPostgres,
  upPostgres,
  withMigrationClient,
  type TakenStep,
} from './migrate-postgres.ts';
import type { Migration, MigrationStore } from './read-migrations.ts';
import type { Kept } from './restore-kept.ts';

export type { MigrationProgress, MigrationState, MigrationStatus, OnProgress } from './applied.ts';
export { setLogin } from './app-login.ts';
export type { TakenStep } from './migrate-postgres.ts';
export { readMigrations, type Migration, type MigrationStore } from './read-migrations.ts';
export type { Kept } from './restore-kept.ts';

export interface MigrateOptions {
  /** `postgres_url` is the owner's login. Without a ClickHouse only PostgreSQL is migrated. */
  readonly urls: Pick<StoreUrls, 'postgres_url' | 'postgres_app_url' | 'clickhouse_cluster'> & {
    readonly clickhouse_url?: string | null;
  };
  readonly log: Log;
  /** Another folder of migrations: tests bring their own. */
  readonly dir?: string;
  readonly random?: () => number;
  readonly onProgress?: OnProgress;
  readonly lock_timeout_ms?: number;
}

export interface Migrated {
  readonly postgres: readonly TakenStep[];
  readonly clickhouse: readonly Migration[];
}

const clickhouseLock = 7_310_868_735_426_102n;

/** ClickHouse has no locks to take; its migrators meet in PostgreSQL, which each installation has. */
function whileLocked<T>(postgres_url: string, work: () => Promise<T>): Promise<T> {
  return withMigrationClient(postgres_url, async (client) => {
    await client.query(
      `begin; set local idle_in_transaction_session_timeout = 0; select pg_advisory_xact_lock(${clickhouseLock})`,
    );
    const result = await work();
    await client.query('commit');
    return result;
  });
}

/**
 * Brings both stores to the newest schema and lets the application log in. Safe to run on several nodes at once, and to
 * kill at any statement and run again. Resolves to the steps that this call took.
 */
export async function migrateUp({ urls, log, ...options }: MigrateOptions): Promise<Migrated> {
  const postgres = await upPostgres({ url: urls.postgres_url, ...options });
  // An app URL that the operator wrote has a login that the operator made.
  if (!urls.postgres_app_url) await setLogin(urls.postgres_url, appRole, options.random);
  await setLogin(urls.postgres_url, authRole, options.random);
  const { clickhouse_url, clickhouse_cluster: cluster = null } = urls;
  const clickhouse = clickhouse_url
    ? await whileLocked(urls.postgres_url, () => upClickHouse({ url: clickhouse_url, cluster, log, ...options }))
    : [];
  for (const { version, name, tables } of postgres) log.info({ store: 'postgres', version, name, tables }, 'migrated');
  for (const { version, name } of clickhouse) log.info({ store: 'clickhouse', version, name }, 'migrated');
  return { postgres, clickhouse };
}

/** Goes back `steps` steps of one store, last in first out. Resolves to the steps that were undone. */
export async function migrateDown({
  urls,
  log,
  store = 'postgres',
  steps = 1,
  ...options
}: MigrateOptions & { readonly store?: MigrationStore; readonly steps?: number }): Promise<
  readonly (Migration & Partial<TakenStep>)[]
> {
  if (store === 'postgres') {
    const undone = await downPostgres({ url: urls.postgres_url, steps, ...options });
    for (const { version, name, tables, kept } of undone)
      log.info({ store, version, name, tables, kept }, 'went back a step');
    return undone;
  }
  const { clickhouse_url, clickhouse_cluster: cluster = null } = urls;
  if (!clickhouse_url) return [];
  return whileLocked(urls.postgres_url, () => downClickHouse({ url: clickhouse_url, cluster, log, steps, ...options }));
}

/** What steps of PostgreSQL back took away, as it is kept. */
export async function listKept({ urls, ...options }: MigrateOptions): Promise<readonly Kept[]> {
  return keptOfPostgres({ url: urls.postgres_url, ...options });
}

/**
 * Puts back what going back from `version` took away, once that step was taken again. Throws `not_found` if nothing is
 * kept of it, `conflict` if the schema has no place for it; then nothing was changed.
 */
export async function restoreKept({
  urls,
  version,
  ...options
}: MigrateOptions & { readonly version: number }): Promise<readonly Kept[]> {
  return keptOfPostgres({ url: urls.postgres_url, restore: version, ...options });
}

/** Deletes what is kept of a version. */
export async function forgetKept({
  urls,
  version,
  ...options
}: MigrateOptions & { readonly version: number }): Promise<readonly Kept[]> {
  return keptOfPostgres({ url: urls.postgres_url, forget: version, ...options });
}

/** Where both stores stand, step by step; writes nothing. */
export async function migrationStatus({ urls, log, ...options }: MigrateOptions): Promise<readonly MigrationStatus[]> {
  const { clickhouse_url } = urls;
  const [postgres, clickhouse] = await Promise.all([
    statusPostgres({ url: urls.postgres_url, ...options }),
    clickhouse_url ? statusClickHouse({ url: clickhouse_url, cluster: null, log, ...options }) : [],
  ]);
  return [...postgres, ...clickhouse];
}
