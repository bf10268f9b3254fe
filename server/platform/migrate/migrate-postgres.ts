import { Client } from 'pg';
import { connectionOptions } from '../connection-options.ts';
import { mapPostgresError } from '../postgres-errors.ts';
import { compare, refuseChanged, type Applied, type MigrationStatus, type OnProgress, type Phase } from './applied.ts';
import { keepAside } from './keep-aside.ts';
import { findLosses } from './lost-data.ts';
import { readMigrations, type Migration } from './read-migrations.ts';
import { forgetKept, listKept, restoreKept, type Kept } from './restore-kept.ts';
import { runStatements } from './run-statements.ts';

/** One advisory lock for all migrators of a database; the number is ours alone. */
const lock = 'select pg_advisory_xact_lock(7310868735426101)';

// 55P03 lock_timeout, 40P01 deadlock; XX000 only as "tuple concurrently updated", when two databases of one cluster
// touch the same role.
const maxAttempts = 30;

export interface PostgresMigrateOptions {
  readonly url: string;
  readonly dir?: string | undefined;
  readonly random?: (() => number) | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** How long one statement may wait for a lock before it gives way to the queries queued behind it. */
  readonly lock_timeout_ms?: number | undefined;
}

export async function withMigrationClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    ...connectionOptions(url),
    application_name: 'netra migrate',
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    // A migrator that was killed must not go on working, and holding its locks, for nobody.
    await client.query("set client_connection_check_interval = '1s'").catch(() => undefined);
    return await work(client);
  } catch (error) {
    throw mapPostgresError(error, 'a migration');
  } finally {
    await client.end().catch(() => undefined);
  }
}

const createMemory = `
create schema if not exists netra_migration;
create table if not exists netra_migration.applied (
  version    int primary key,
  name       text not null,
  checksum   text not null,
  applied_at timestamptz not null default now()
)`;

async function readApplied(client: Client): Promise<Applied[]> {
  const known = await client.query<{ there: boolean }>(
    "select to_regclass('netra_migration.applied') is not null as there",
  );
  if (!known.rows[0]?.there) return [];
  const { rows } = await client.query<Applied>(
    'select version, name, checksum, applied_at from netra_migration.applied order by 1',
  );
  return rows;
}

/** Begins, waits for the other migrators, works, commits; again from the start if a lock was not to be had in time. */
async function locked<T>(client: Client, options: PostgresMigrateOptions, work: () => Promise<T>): Promise<T> {
  const random = options.random ?? Math.random;
  for (let attempt = 1; ; attempt += 1) {
    try {
      // The lock is held by the transaction, so that nothing is left of it when the migrator dies, and a pooler is no harm.
      await client.query(`begin; ${lock}`);
      // Only now: another migrator may take minutes; but a lock on a table must not queue every later query behind us.
      await client.query(
        `set local lock_timeout = ${options.lock_timeout_ms ?? 2_000}; set local statement_timeout = 0`,
      );
      const result = await work();
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => undefined);
      if (attempt === maxAttempts || !mayRetry(error)) throw error;
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, random() * Math.min(2_000, 20 * 2 ** attempt));
      await promise;
    }
  }
}

function mayRetry(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  if (error.code === '55P03' || error.code === '40P01') return true;
  return error.code === 'XX000' && error instanceof Error && error.message.includes('concurrently updated');
}

/** A step that was taken or undone, with the tables that it touched, in its order. */
export interface TakenStep extends Migration {
  readonly tables: readonly string[];
  /** Tables of `netra_kept` that now have what a step back took away. */
  readonly kept: readonly string[];
}

/** Takes each pending step in one transaction with its memory: a step is there whole or not at all, never "dirty". */
export async function upPostgres(options: PostgresMigrateOptions): Promise<readonly TakenStep[]> {
  const files = readMigrations('postgres', options.dir);
  return withMigrationClient(options.url, async (client) => {
    const before = await locked(client, options, async () => {
      await client.query(createMemory);
      return compare('postgres', files, await readApplied(client));
    });
    refuseChanged('postgres', before);
    const taken: TakenStep[] = [];
    for (const file of files) {
      if (before.some(({ version, state }) => version === file.version && state === 'applied')) continue;
      const step = await locked(client, options, () => takeStep(client, file, options));
      if (step !== null) taken.push(step);
    }
    return taken;
  });
}

async function takeStep(client: Client, file: Migration, options: PostgresMigrateOptions): Promise<TakenStep | null> {
  // Looked at again under the lock: another node may have taken it while we waited.
  const { rowCount } = await client.query('select from netra_migration.applied where version = $1', [file.version]);
  if (rowCount === 1) return null;
  const tell = telling(file, 'up', options.onProgress);
  tell('begin', 0);
  const tables = await runStatements(client, file.up, (statement) => tell('statement', statement));
  const values = [file.version, file.name, file.checksum];
  await client.query('insert into netra_migration.applied (version, name, checksum) values ($1, $2, $3)', values);
  tell('done', 0);
  return { ...file, tables, kept: [] };
}

/** Goes back `steps` steps, last in first out, each in one transaction with what it takes away kept aside. */
export async function downPostgres(
  options: PostgresMigrateOptions & { readonly steps: number },
): Promise<readonly TakenStep[]> {
  const files = readMigrations('postgres', options.dir);
  return withMigrationClient(options.url, async (client) => {
    const undone: TakenStep[] = [];
    for (let step = 0; step < options.steps; step += 1) {
      const file = await locked(client, options, () => takeBack(client, files, options));
      if (file === null) break;
      undone.push(file);
    }
    return undone;
  });
}

async function takeBack(
  client: Client,
  files: readonly Migration[],
  options: PostgresMigrateOptions,
): Promise<TakenStep | null> {
  const last = (await readApplied(client)).at(-1);
  if (last === undefined) return null;
  const file = files.find(({ version }) => version === last.version);
  if (file === undefined)
    throw new Error(`there is no way back from step ${last.version}: this release does not have it`);
  refuseChanged('postgres', compare('postgres', [file], [last]));
  const tell = telling(file, 'down', options.onProgress);
  tell('begin', 0);
  const { losses, seen: tables } = await findLosses(client, () => runStatements(client, file.down));
  const kept = await keepAside(client, file, losses);
  tell('kept', 0);
  await runStatements(client, file.down, (statement) => tell('statement', statement));
  await client.query('delete from netra_migration.applied where version = $1', [file.version]);
  tell('done', 0);
  return { ...file, tables, kept };
}

function telling({ version, name }: Migration, direction: 'up' | 'down', onProgress: OnProgress | undefined) {
  return (phase: Phase, statement: number): void =>
    onProgress?.({ store: 'postgres', direction, version, name, phase, statement });
}

/** What steps back took away is listed, put back or let go of, while no migrator works. */
export async function keptOfPostgres(
  options: PostgresMigrateOptions & { readonly restore?: number | undefined; readonly forget?: number | undefined },
): Promise<readonly Kept[]> {
  return withMigrationClient(options.url, async (client) =>
    locked(client, options, async () => {
      if (options.restore !== undefined) return restoreKept(client, options.restore);
      if (options.forget !== undefined) return forgetKept(client, options.forget);
      return listKept(client);
    }),
  );
}

export async function statusPostgres(options: PostgresMigrateOptions): Promise<readonly MigrationStatus[]> {
  const files = readMigrations('postgres', options.dir);
  return withMigrationClient(options.url, async (client) => compare('postgres', files, await readApplied(client)));
}
