import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, inject } from 'vitest';
import { createDatabase, databaseName, dropDatabase } from './database.ts';
import { createOrg, type PlanName } from './organisation.ts';
import type { StoreUrls } from './stores.ts';

/** What a test file stands on: its own database and organisation, gone when the file is done. */
export interface Suite {
  /** The run's stores; `postgres_url` is this suite's own database, as the owner role. */
  readonly stores: StoreUrls;
  /** An organisation id that no other suite uses. Its rows are the test's to make, or `createOrg`'s. */
  readonly org_id: string;
  /** Makes an organisation in this suite's database; with a plan, its subscription and first credits too. */
  createOrg(plan?: PlanName): Promise<string>;
  /** Configuration of a server on these stores. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs after the suite's tests, last registered first, before its database goes. */
  onEnd(cleanUp: () => Promise<void> | void): void;
}

/**
 * Makes the suite of a test file. Call it at the top level of the file or of a describe block; read its fields inside
 * hooks and tests, since the database exists from `beforeAll` on.
 */
export function suite(): Suite {
  const server = inject('stores');
  const name = databaseName('suite');
  const url = new URL(server.postgres_url);
  url.pathname = `/${name}`;
  const stores: StoreUrls = { ...server, postgres_url: url.toString() };
  const cleanUps: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    await createDatabase(server.postgres_url, name, inject('template'));
  });
  afterAll(async () => {
    const failures: unknown[] = [];
    for (const cleanUp of cleanUps.toReversed()) {
      try {
        await cleanUp();
      } catch (error) {
        failures.push(error);
      }
    }
    await dropDatabase(server.postgres_url, name);
    if (failures.length > 0) throw new AggregateError(failures, 'the suite did not clean up');
  });
  return {
    stores,
    org_id: randomUUID(),
    createOrg: (plan) => createOrg(stores.postgres_url, plan === undefined ? {} : { plan }),
    env: serverEnvironment(stores),
    onEnd: (cleanUp) => cleanUps.push(cleanUp),
  };
}

function serverEnvironment(stores: StoreUrls): Record<string, string> {
  return {
    NETRA_ENV: 'test',
    // One for all that the suite starts: signing keys in the database are encrypted with it.
    NETRA_SECRET: randomBytes(32).toString('base64url'),
    NETRA_POSTGRES_URL: stores.postgres_url,
    NETRA_CLICKHOUSE_URL: stores.clickhouse_url,
    NETRA_REDIS_URL: stores.redis_url,
    NETRA_REHEARSAL: 'on',
  };
}
