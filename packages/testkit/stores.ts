import { openEmbeddedStores } from './embedded-stores.ts';
import { openRedisServer } from './redis-server.ts';

/** Where the stores of this test run are. Real ones, always. */
export interface StoreUrls {
  /** The owner role: it may create databases. */
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  readonly redis_url: string;
}

/** Which environment variable names which store. */
export const storeVariables = {
  postgres_url: 'NETRA_TEST_POSTGRES_URL',
  clickhouse_url: 'NETRA_TEST_CLICKHOUSE_URL',
  redis_url: 'NETRA_TEST_REDIS_URL',
} as const satisfies Record<keyof StoreUrls, string>;

export interface OpenStores extends StoreUrls {
  close(): Promise<void>;
}

/** Takes the servers that the environment names, and starts embedded ones for the rest. */
export async function openStores(environment: NodeJS.ProcessEnv): Promise<OpenStores> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.allSettled(closers.map((closer) => closer()));
  };
  try {
    const [databases, redis_url] = await Promise.all([
      openDatabases(environment, closers),
      openRedis(environment, closers),
    ]);
    return { ...databases, redis_url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openDatabases(
  environment: NodeJS.ProcessEnv,
  closers: (() => Promise<void>)[],
): Promise<Omit<StoreUrls, 'redis_url'>> {
  const postgres_url = environment[storeVariables.postgres_url];
  const clickhouse_url = environment[storeVariables.clickhouse_url];
  if (postgres_url !== undefined && clickhouse_url !== undefined) return { postgres_url, clickhouse_url };
  const embedded = await openEmbeddedStores();
  closers.push(() => embedded.close());
  return {
    postgres_url: postgres_url ?? embedded.postgres_url,
    clickhouse_url: clickhouse_url ?? embedded.clickhouse_url,
  };
}

async function openRedis(environment: NodeJS.ProcessEnv, closers: (() => Promise<void>)[]): Promise<string> {
  const redis_url = environment[storeVariables.redis_url];
  if (redis_url !== undefined) return redis_url;
  const server = await openRedisServer();
  closers.push(() => server.close());
  return server.redis_url;
}
