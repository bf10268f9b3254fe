import { createClient } from '@clickhouse/client';
import { breakDownUsage, type BreakdownInput } from '../server/analytics/index.ts';
import type { Ctx } from '../server/platform/index.ts';
import { makeOrg } from './make-org.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { quantile } from './rate.ts';

/** Questions as a console asks them: a month or all, one key or two, from a rollup or from the rows. */
const questions: Readonly<Record<string, BreakdownInput>> = {
  total: {},
  'by model': { by: ['model'] },
  'by user, the first 20': { by: ['user'], limit: 20 },
  'by day and feature of a month': { by: ['day', 'feature'], from: '2026-02-01', to: '2026-03-01', limit: 1000 },
  'by hour of a week': { by: ['hour'], from: '2026-02-01', to: '2026-02-08', limit: 1000 },
  'by model of one user': { by: ['model'], user: ['user-7'] },
  'by agent, to the second': { by: ['agent'], from: '2026-01-10T10:10:10Z', to: '2026-02-10T10:10:10Z' },
  'by model, with quantiles of time': { by: ['model'], quantiles: ['latency'] },
};

export interface QueryFigures {
  readonly name: string;
  readonly p95_ms: number;
  readonly floor_p95_ms: number;
}

type Bare = ReturnType<typeof createClient>;

/**
 * The p95 of each question about an organisation with so many calls in 90 days, a tenth more being of others; beside
 * the same text sent to ClickHouse bare, without its rollups: what it would be to add the rows up.
 */
export async function* measureQueries(
  urls: { readonly postgres_url: string; readonly clickhouse_url: string },
  { calls, asks }: { readonly calls: number; readonly asks: number },
): AsyncGenerator<QueryFigures> {
  const platform = await openBenchPlatform(urls.postgres_url, 4, urls.clickhouse_url);
  const bare = createClient({ url: urls.clickhouse_url, request_timeout: 600_000 });
  try {
    const ctx = await makeOrg(platform);
    await fill(bare, ctx.principal.org_id, calls);
    await fill(bare, platform.ids.uuid(), Math.ceil(calls / 10));
    // What merges do in time; here at once.
    for (const name of ['usage_by_day', 'usage_by_hour']) {
      await bare.command({
        query: `alter table usage materialize projection if exists ${name} settings mutations_sync = 2`,
      });
    }
    for (const [name, input] of Object.entries(questions)) yield await measure(ctx, bare, name, input, asks);
  } finally {
    await Promise.all([bare.close(), platform.close()]);
  }
}

async function measure(ctx: Ctx, bare: Bare, name: string, input: BreakdownInput, asks: number): Promise<QueryFigures> {
  const { query } = await breakDownUsage({ ctx, input });
  const rows = query.text.replace('settings ', 'settings optimize_use_projections = 0, ');
  const times = { ours: [] as number[], floor: [] as number[] };
  for (let ask = 0; ask < asks; ask += 1) {
    times.ours.push(await timed(() => breakDownUsage({ ctx, input })));
    times.floor.push(
      await timed(async () => {
        const answer = await bare.query({ query: rows, query_params: { ...query.params }, format: 'JSONEachRow' });
        await answer.json();
      }),
    );
  }
  const p95 = (list: readonly number[]): number => quantile(list, (ms) => ms, 0.95);
  return { name, p95_ms: p95(times.ours), floor_p95_ms: p95(times.floor) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const batch = 1_000_000;

/**
 * Made by ClickHouse itself. 500 users, each at home in two features with an agent each and three models: who does
 * what repeats, as it does where people work.
 */
async function fill(bare: Bare, org: string, calls: number): Promise<void> {
  for (let from = 0; from < calls; from += batch) {
    const count = Math.min(batch, calls - from);
    await bare.command({
      query: `insert into usage (org_id, at, event_id, source, user_id, agent, feature, provider, model, input_tokens,
          cached_input_tokens, output_tokens, cost_usd, latency_ms, status)
        select {org:UUID}, toDateTime64('2026-01-01 00:00:00', 7, 'UTC')
            + toIntervalMillisecond((number * 7919) % 7776000 * 1000 + rand(1) % 1000),
          generateUUIDv4(), 'import', concat('user-', toString(who)), concat('agent-', toString(place % 6)),
          concat('feature-', toString(place)), if(what = 0, 'anthropic', 'openai'),
          concat('model-', toString((place + what) % 8)), 200 + rand(2) % 8000, rand(3) % 200, 1 + rand(4) % 900,
          toDecimal128(rand(5) % 1000000, 12) / 10000000, 100 + rand(6) % 9000, if(rand(7) % 50 = 0, 'error', 'ok')
        from (
          select number, rand(8) % 500 as who, (who * 7 + rand(9) % 2) % 20 as place, rand(10) % 3 as what
          from numbers({from:UInt64}, {count:UInt64})
        )`,
      query_params: { org, from, count },
    });
  }
}
