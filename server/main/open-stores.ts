import { migrateUp, openEmbeddedStores, type LoadedConfig, type Log, type StoreUrls } from '../platform/index.ts';

export interface OpenStores {
  readonly urls: StoreUrls;
  /** Stops the embedded stores that this process owns; servers that are configured by URL are left alone. */
  stop(): Promise<void>;
}

/** The configured stores, or embedded ones in the data folder for those that are not. */
export async function openStores(config: LoadedConfig, log: Log): Promise<OpenStores> {
  const need = [
    ...(config.postgres_url === null ? (['postgres'] as const) : []),
    ...(config.clickhouse_url === null ? (['clickhouse'] as const) : []),
  ];
  const embedded = need.length === 0 ? null : await openEmbeddedStores({ data_dir: config.data_dir, log, need });
  const postgres_url = config.postgres_url ?? embedded?.postgres_url;
  const clickhouse_url = config.clickhouse_url ?? embedded?.clickhouse_url;
  if (postgres_url === undefined || clickhouse_url === undefined) throw new Error('a store has no URL');
  return {
    urls: {
      postgres_url,
      clickhouse_url,
      clickhouse_cluster: config.clickhouse_cluster,
      postgres_app_url: config.postgres_app_url,
      redis_url: config.redis_url,
    },
    stop: async () => embedded?.stop(),
  };
}

/** The stores, brought to this version's schema. Safe beside other nodes that do the same. */
export async function openMigratedStores(config: LoadedConfig, log: Log): Promise<OpenStores> {
  const stores = await openStores(config, log);
  try {
    await migrateUp({ urls: stores.urls, log });
    return stores;
  } catch (error) {
    await stores.stop();
    throw error;
  }
}
