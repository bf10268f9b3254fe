import { createClickHouseDatabase, databaseName, dropClickHouseDatabase, type Suite } from '@netra/testkit';
import { migrateUp, openLog } from '../../server/platform/index.ts';

/**
 * The suite with a ClickHouse database of its own, for tests that have a whole table rewritten: in the one that all suites
 * share that means everybody's rows. To be called in `beforeAll`.
 */
export async function withOwnClickHouse(on: Suite): Promise<Suite> {
  const name = databaseName('analytics');
  const clickhouse_url = await createClickHouseDatabase(on.stores.clickhouse_url, name);
  on.onEnd(() => dropClickHouseDatabase(on.stores.clickhouse_url, name));
  const stores = { ...on.stores, clickhouse_url };
  await migrateUp({ urls: stores, log: openLog({ level: 'fatal' }) });
  return { ...on, stores, env: { ...on.env, NETRA_CLICKHOUSE_URL: clickhouse_url } };
}
