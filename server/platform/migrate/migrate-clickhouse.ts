import { NetraError } from '@netra/contract';
import type { ClickHouse } from '../clickhouse.ts';
import type { Log } from '../log.ts';
import { openClickHouse } from '../open-clickhouse.ts';
import { compare, refuseChanged, type Applied, type MigrationStatus, type OnProgress } from './applied.ts';
import { forCluster } from './for-cluster.ts';
import { readMigrations, type Migration } from './read-migrations.ts';
import { isRepeatable, splitStatements } from './split-statements.ts';

export interface ClickHouseMigrateOptions {
  readonly url: string;
  /** null = one server. */
  readonly cluster: string | null;
  readonly log: Log;
  readonly dir?: string | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * ClickHouse has no transactions, so the memory is a log: one row after each statement, `done` with the last one.
 * Killed between a statement and its row, the statement runs again, which is why each must be repeatable.
 */
const createMemory = `
create table if not exists netra_migration (
  step       UInt64,
  version    UInt32,
  name       String,
  checksum   String,
  direction  Enum8('up' = 1, 'down' = 2),
  statement  UInt32,
  done       Bool,
  at         DateTime64(3, 'UTC')
) engine = MergeTree order by step settings non_replicated_deduplication_window = 1000`;

interface Row {
  readonly step: string;
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly direction: 'up' | 'down';
  readonly statement: number;
  readonly done: boolean;
  readonly at: string;
}

async function withDatabase<T>(
  { url, cluster, log }: ClickHouseMigrateOptions,
  work: (store: ClickHouse) => Promise<T>,
): Promise<T> {
  const target = new URL(url);
  const name = decodeURIComponent(target.pathname.slice(1)) || 'default';
  if (!/^\w+$/.test(name))
    throw new NetraError('config_invalid', 'NETRA_CLICKHOUSE_URL: the database may have letters, digits and _ only');
  target.pathname = '/default';
  const server = openClickHouse(target.toString(), { log });
  const store = openClickHouse(url, { log });
  try {
    if (name !== 'default') await server.command(forCluster(`create database if not exists ${name}`, cluster));
    return await work(store);
  } finally {
    await Promise.all([server.close(), store.close()]);
  }
}

async function readRows(store: ClickHouse): Promise<readonly Row[]> {
  const [there] = await store.query<{ there: number }>(
    "select count() > 0 as there from system.tables where database = currentDatabase() and name = 'netra_migration'",
    {},
  );
  if (!Number(there?.there)) return [];
  return store.query<Row>('select * from netra_migration order by step', {});
}

/** The last row of each version tells where it stands. */
function lastRows(rows: readonly Row[]): ReadonlyMap<number, Row> {
  return new Map(rows.map((row) => [row.version, row]));
}

function appliedOf(rows: readonly Row[]): Applied[] {
  return [...lastRows(rows).values()]
    .filter(({ direction, done }) => (direction === 'up' ? done : !done))
    .map(({ version, name, checksum, at }) => ({ version, name, checksum, applied_at: new Date(at) }));
}

/** Runs the statements that `last` does not have yet, and records each. Call it while no other migrator runs. */
async function run(
  store: ClickHouse,
  file: Migration,
  direction: 'up' | 'down',
  { cluster, onProgress }: ClickHouseMigrateOptions,
): Promise<void> {
  const rows = await readRows(store);
  const last = lastRows(rows).get(file.version);
  const statements = splitStatements(file[direction]);
  const odd = statements.find((statement) => !isRepeatable(statement));
  if (odd !== undefined) {
    throw new NetraError(
      'config_invalid',
      `migrations/clickhouse ${file.name}: "${odd.slice(0, 60)}…" cannot be run twice (if [not] exists)`,
    );
  }
  // A half-way step of an edited file starts anew: its statements are repeatable.
  const resumes = last?.direction === direction && !last.done && last.checksum === file.checksum;
  const told = { store: 'clickhouse', direction, version: file.version, name: file.name } as const;
  onProgress?.({ ...told, phase: 'begin', statement: 0 });
  let step = BigInt(rows.at(-1)?.step ?? 0);
  for (let index = resumes ? last.statement : 0; index < statements.length; index += 1) {
    await store.command(forCluster(statements[index] ?? '', cluster));
    onProgress?.({ ...told, phase: 'statement', statement: index + 1 });
    step += 1n;
    const done = index + 1 === statements.length;
    const { version, name, checksum } = file;
    const row = { step, version, name, checksum, direction, statement: index + 1, done, at: new Date().toISOString() };
    await store.insert({
      table: 'netra_migration',
      rows: [row],
      token: `${step}/${direction}/${version}/${index + 1}`,
    });
    onProgress?.({ ...told, phase: 'recorded', statement: index + 1 });
  }
  onProgress?.({ ...told, phase: 'done', statement: statements.length });
}

export async function upClickHouse(options: ClickHouseMigrateOptions): Promise<readonly Migration[]> {
  const files = readMigrations('clickhouse', options.dir);
  return withDatabase(options, async (store) => {
    await store.command(forCluster(createMemory.trim(), options.cluster));
    const status = compare('clickhouse', files, appliedOf(await readRows(store)));
    refuseChanged('clickhouse', status);
    const pending = files.filter(({ version }) =>
      status.some((entry) => entry.version === version && entry.state === 'pending'),
    );
    for (const file of pending) await run(store, file, 'up', options);
    return pending;
  });
}

export async function downClickHouse(
  options: ClickHouseMigrateOptions & { readonly steps: number },
): Promise<readonly Migration[]> {
  const files = readMigrations('clickhouse', options.dir);
  return withDatabase(options, async (store) => {
    const applied = appliedOf(await readRows(store)).toSorted((a, b) => b.version - a.version);
    const undone: Migration[] = [];
    for (const entry of applied.slice(0, options.steps)) {
      const file = files.find(({ version }) => version === entry.version);
      if (file === undefined)
        throw new Error(`there is no way back from step ${entry.version}: this release does not have it`);
      refuseChanged('clickhouse', compare('clickhouse', [file], [entry]));
      await run(store, file, 'down', options);
      undone.push(file);
    }
    return undone;
  });
}

export async function statusClickHouse(options: ClickHouseMigrateOptions): Promise<readonly MigrationStatus[]> {
  const files = readMigrations('clickhouse', options.dir);
  return withDatabase(options, async (store) => compare('clickhouse', files, appliedOf(await readRows(store))));
}
