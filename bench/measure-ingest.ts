import { randomUUID } from 'node:crypto';
import { createClient } from '@clickhouse/client';
import { generateSample, importUsage } from '../server/analytics/index.ts';
import type { Ctx, Platform } from '../server/platform/index.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { inTurn, type Pair } from './rate.ts';

/** The columns of the sample, as ClickHouse would take them from anyone: nothing checked, priced or deduplicated. */
const floorTable = `create table if not exists floor_usage (
  org_id UUID, time DateTime64(7, 'UTC'), user String, feature String, model String, input_tokens UInt64,
  cached_input_tokens UInt64, output_tokens UInt64, status String, error String, latency_ms Nullable(UInt32),
  request_id String, prompt_hash String, prefix_hash String, prefix_tokens UInt64, retry_of String
) engine = MergeTree order by (org_id, time)`;

/** Rows a second from a CSV file into ClickHouse by the import verb, beside the same file thrown at a bare table. */
export async function measureIngest(
  urls: { readonly postgres_url: string; readonly clickhouse_url: string },
  { rows, rounds }: { readonly rows: number; readonly rounds: number },
): Promise<Pair> {
  const platform = await openBenchPlatform(urls.postgres_url, 4, urls.clickhouse_url);
  const bare = createClient({ url: urls.clickhouse_url });
  try {
    const file = [...generateSample({ seed: 1, start: '2026-01-01', days: 30, calls: rows }).csv()];
    const ctx = await makeOrg(platform);
    await bare.command({ query: floorTable });
    return await inTurn(
      rounds,
      () =>
        perSecond(rows, () =>
          importUsage({ ctx, input: { source: streamOf(file), format: 'csv', key: randomUUID() } }),
        ),
      () => perSecond(rows, () => insertBare(bare, file)),
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

/** In batches as large as ours, one request each. */
async function insertBare(bare: ReturnType<typeof createClient>, file: readonly Buffer[]): Promise<void> {
  const columns = String(file[0]).split('\n', 1)[0] ?? '';
  const lines = Buffer.concat(file).toString().trimEnd().split('\n').slice(1);
  for (let from = 0; from < lines.length; from += 10_000) {
    const query = `insert into floor_usage (${columns}) format CSV\n${lines.slice(from, from + 10_000).join('\n')}`;
    await bare.command({ query });
  }
}

async function makeOrg(platform: Platform): Promise<Ctx> {
  const org_id = platform.ids.uuid();
  const insert = { text: 'insert into netra.org (org_id, name) values ($1, $2)', values: [org_id, 'bench'] };
  await platform.postgres.inOrg(org_id, (tx) => tx.rows(insert));
  const principal = { org_id, user_id: 'bench', role: 'owner', kind: 'user', expires_at_ms: null } as const;
  return { platform, principal, trace_id: 'bench' };
}
