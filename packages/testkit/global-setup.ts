import type { TestProject } from 'vitest/node';
import { createDatabase, databaseName, dropDatabase, migrateDatabase } from './database.ts';
import { openStores, type StoreUrls } from './stores.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    readonly stores: StoreUrls;
    /** A migrated database that nobody connects to: each suite gets a copy. */
    readonly template: string;
  }
}

/** Once a run: the stores, and a migrated database to copy. Vitest calls what is returned at the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { close, ...stores } = await openStores(process.env);
  const template = databaseName('template');
  try {
    await migrateDatabase(await createDatabase(stores.postgres_url, template));
  } catch (error) {
    await close();
    throw error;
  }
  project.provide('stores', stores);
  project.provide('template', template);
  return async () => {
    await dropDatabase(stores.postgres_url, template);
    await close();
  };
}
