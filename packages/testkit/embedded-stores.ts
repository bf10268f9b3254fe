import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, textOf } from './child.ts';
import { plainEnvironment } from './environment.ts';
import { serverEntry } from './repository.ts';

export interface EmbeddedStores {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  close(): Promise<void>;
}

/** Starts a real PostgreSQL and the ClickHouse engine on a data folder of their own; both go with the folder. */
export async function openEmbeddedStores(): Promise<EmbeddedStores> {
  const data = await mkdtemp(join(tmpdir(), 'netra-test-'));
  const removeData = (): Promise<void> => rm(data, { recursive: true, force: true });
  const stores = await startChild({
    args: [serverEntry, 'stores', '--data', data],
    env: plainEnvironment(),
    type: 'stores',
    deadline_ms: 90_000,
  }).catch(async (error: unknown) => {
    await removeData();
    throw error;
  });
  return {
    postgres_url: textOf(stores.ready, 'postgres_url'),
    clickhouse_url: textOf(stores.ready, 'clickhouse_url'),
    close: async () => {
      await stores.stop();
      await removeData();
    },
  };
}
