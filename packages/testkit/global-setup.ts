import { Redis } from 'ioredis';
import type { TestProject } from 'vitest/node';
import { createClickHouseDatabase, dropClickHouseDatabase } from './clickhouse-database.ts';
import { createDatabase, databaseName, dropDatabase } from './database.ts';
import { migrateStores } from './migrate-stores.ts';
import { openStores, storeVariables, type StoreUrls } from './stores.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** `postgres_url` is the server; `clickhouse_url` is this run's own database, migrated. */
    readonly stores: StoreUrls;
    /** A migrated PostgreSQL database that nobody connects to: each suite gets a copy. */
    readonly template: string;
  }
}

/** Once a run: the stores, and migrated databases. Vitest calls what is returned at the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stores = await openStores(process.env);
  const template = databaseName('template');
  const analytics = databaseName('analytics');
  const tearDown = async (): Promise<void> => {
    await Promise.allSettled([
      dropDatabase(stores.postgres_url, template),
      dropClickHouseDatabase(stores.clickhouse_url, analytics),
    ]);
    await stores.close();
  };
  try {
    const [postgres_url, clickhouse_url] = await Promise.all([
      answering('postgres_url', createDatabase(stores.postgres_url, template)),
      answering('clickhouse_url', createClickHouseDatabase(stores.clickhouse_url, analytics)),
      answering('redis_url', pingRedis(stores.redis_url)),
    ]);
    await migrateStores({ postgres_url, clickhouse_url });
    const { redis_url } = stores;
    project.provide('stores', { postgres_url: stores.postgres_url, clickhouse_url, redis_url });
    project.provide('template', template);
  } catch (error) {
    await tearDown();
    throw error;
  }
  return tearDown;
}

/** Says which server does not answer, and where its address came from. */
async function answering<T>(store: keyof StoreUrls, first: Promise<T>): Promise<T> {
  try {
    return await first;
  } catch (error) {
    const named = process.env[storeVariables[store]] === undefined ? 'the embedded one' : storeVariables[store];
    throw new Error(`${store.replace('_url', '')} (${named}) does not answer: ${String(error)}`, { cause: error });
  }
}

async function pingRedis(url: string): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  // The rejection of connect() below says the same.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}
