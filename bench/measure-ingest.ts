import { randomUUID } from 'node:crypto';
import { createClient } from '@clickhouse/client';
import { generateSample, importUsage } from '../server/analytics/index.ts';
import { makeOrg } from './make-org.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { inTurn, type Pair } from './rate.ts';

type Row = Readonly<Record<string, unknown>>;
const batchRows = 10_000;
/** The columns, order and partitions of `usage`, without its defaults, constraints and deduplication. */
const floorTable = `create or replace table floor_usage engine = MergeTree
partition by toYYYYMM(at) order by (org_id, at, event_id) as select * from usage where false`;
/** Left to the table's defaults by an import, so by the floor too: a cell that holds nothing. */
const empty: ReadonlySet<unknown> = new Set(['', false, null, '00000000-0000-0000-0000-000000000000']);

/**
 * Rows a second from a CSV file into ClickHouse by the import verb, which parses, checks, prices and deduplicates;
 * beside a bare loop that inserts the very rows that the verb stored, ready objects in batches of 10,000.
 */
export async function measureIngest(
  urls: { readonly postgres_url: string; readonly clickhouse_url: string },
  { rows, rounds }: { readonly rows: number; readonly rounds: number },
): Promise<Pair> {
  const platform = await openBenchPlatform(urls.postgres_url, 4, urls.clickhouse_url);
  const bare = createClient({ url: urls.clickhouse_url });
  try {
    const file = [...generateSample({ seed: 1, start: '2026-01-01', days: 30, calls: rows }).csv()];
    // An organisation each time: the calls have ids, and one that has them already would keep none.
    const importOnce = async () =>
      importUsage({
        ctx: await makeOrg(platform),
        input: { source: streamOf(file), format: 'csv', key: randomUUID(), synthetic: true },
      });
    const { import_id, accepted } = await importOnce();
    const stored = await readStored(bare, import_id);
    if (stored.length !== accepted) throw new Error(`${accepted} rows were imported, ${stored.length} are there`);
    await insertBare(bare, stored);
    return await inTurn(
      rounds,
      () => perSecond(accepted, importOnce),
      () => perSecond(accepted, () => insertBare(bare, stored)),
    );
  } finally {
    await bare.command({ query: 'drop table if exists floor_usage' });
    await Promise.all([bare.close(), platform.close()]);
  }
}

async function* streamOf(file: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* file;
}

async function perSecond(rows: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (rows * 1000) / (performance.now() - started);
}

async function readStored(bare: ReturnType<typeof createClient>, import_id: string): Promise<Row[]> {
  const result = await bare.query({
    query: 'select * from usage where import_id = {import_id:UUID} order by import_line',
    query_params: { import_id },
    format: 'JSONEachRow',
  });
  const rows = await result.json<Row>();
  await bare.command({ query: floorTable });
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, cell]) => !empty.has(cell))));
}

async function insertBare(bare: ReturnType<typeof createClient>, rows: readonly Row[]): Promise<void> {
  for (let from = 0; from < rows.length; from += batchRows) {
    await bare.insert({ table: 'floor_usage', values: rows.slice(from, from + batchRows), format: 'JSONEachRow' });
  }
}
