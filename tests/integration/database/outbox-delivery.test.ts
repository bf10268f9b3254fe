/**
 * Segment: every plan; what a customer sees of spending comes from ClickHouse.
 * Goal: the outbox brings each charge to ClickHouse exactly once, whatever dies on the way, and a difference is found.
 * Value: reports and alerts can be compared with the bill at any time, to the micro-credit.
 * Strategic impact: figures that drift after an outage make support the reconciliation.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, heavy, suite, withOwner } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';
import { checkSettled, pumpOutbox, reconcileCharges } from '../../../server/analytics/index.ts';
import {
  loadConfig,
  migrateUp,
  openEmbeddedStores,
  openLog,
  openPlatform,
  type ClickHouse,
  type Ctx,
  type Platform,
} from '../../../server/platform/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { openAnalytics, type AnalyticsNode } from '../analytics-node.ts';
import { finishRuns } from './settled-runs.ts';

const { length } = heavy();
const on = suite();
let node: AnalyticsNode;
/** On a ClickHouse of its own, which may be killed. */
let platform: Platform;
let clickhousePid: () => Promise<number>;

beforeAll(async () => {
  node = await openAnalytics(on);
  const log = openLog({ level: 'silent' });
  const data_dir = await mkdtemp(join(tmpdir(), 'netra-own-clickhouse-'));
  const stores = await openEmbeddedStores({ data_dir, log, need: ['clickhouse'] });
  const urls = { ...on.stores, clickhouse_url: stores.clickhouse_url };
  await migrateUp({ urls, log });
  const secret = 'only for tests: 32 bytes and then some more';
  const env = { ...on.env, NETRA_SECRET: secret, NETRA_LOG_LEVEL: 'silent', NETRA_DATA: data_dir };
  const opened = await openPlatform({ config: loadConfig({ env }), urls, role: 'app' });
  platform = opened;
  on.onEnd(async () => {
    await opened.close();
    await stores.stop();
    await rm(data_dir, { recursive: true, force: true });
  });
  clickhousePid = async () => {
    const state = JSON.parse(await readFile(join(data_dir, 'stores.json'), 'utf8')) as {
      readonly stores: { readonly clickhouse?: { readonly pid: number } };
    };
    return state.stores.clickhouse?.pid ?? 0;
  };
}, 60_000);

/** Charges as the end of a run writes them, of 1, 2, 3 … micro-credits. */
async function charge(org_id: string, from: number, rows: number): Promise<void> {
  await platform.postgres.inOrg(org_id, (tx) =>
    tx.rows({
      text: `insert into netra.outbox (org_id, event_id, kind, payload)
        select $1, gen_random_uuid(), 'charge', jsonb_build_object('run_id', gen_random_uuid(), 'user_id', 'u', 'agent',
          'triage', 'reason', 'run', 'state', 'completed', 'amount_micro', i::text)
        from generate_series($2::int, $3::int) i`,
      values: [org_id, from, from + rows - 1],
    }),
  );
}

const endLeases = () =>
  withOwner(on.stores.postgres_url, (client) =>
    client.query("update netra.outbox_batch set taken_until = now() - interval '1 s'"),
  );

async function kill(): Promise<void> {
  const pid = await clickhousePid();
  process.kill(pid, 'SIGKILL');
  await eventually('another one runs', async () => (await clickhousePid()) !== pid, { deadline_ms: 20_000 });
}

// Planted bug that turns it red: a token of the attempt instead of the batch's id.
it('clickhouse-4 ClickHouse killed under load, before and after it took an insert, loses and doubles no charge', async () => {
  const org_id = await node.makeOrg();
  const rounds = length === 'full' ? 30 : 3;
  const perRound = length === 'full' ? 20_000 : 4_000;
  const failed: unknown[] = [];
  for (let round = 0; round < rounds; round += 1) {
    let inserts = 0;
    const real = platform.clickhouse;
    const insert: ClickHouse['insert'] = async (options) => {
      inserts += 1;
      // In turn: while it inserts; and after it did, but before anybody has heard so.
      const dying = inserts === 1 + (round % 4);
      const killing = dying && round % 2 === 0 ? kill() : null;
      await Promise.all([real.insert(options), killing]);
      if (!dying || round % 2 === 0) return;
      await kill();
      throw new Error('the answer was lost');
    };
    const dying = { ...platform, clickhouse: { ...real, insert } };
    const pump = () => pumpOutbox({ platform: dying }).catch((error: unknown) => failed.push(error));
    const writing = Array.from({ length: 4 }, (_, part) =>
      charge(org_id, 1 + round * perRound + (part * perRound) / 4, perRound / 4),
    );
    await Promise.all([pump(), ...writing]);
    await pump();
  }
  await eventually(
    'all has arrived',
    async () => {
      await endLeases();
      return (await pumpOutbox({ platform })).rows === 0;
    },
    { deadline_ms: 60_000, every_ms: 200 },
  );
  expect(failed.length).toBeGreaterThan(0);
  const total = rounds * perRound;
  for (const table of ['charge', 'event', 'metric']) {
    const [sums] = await platform.clickhouse.query(
      `select toString(count()) as rows, toString(uniqExact(event_id)) as once from ${table} where org_id = {org:UUID}`,
      { org: org_id },
    );
    expect(sums, table).toEqual({ rows: String(total), once: String(total) });
  }
  const [sum] = await platform.clickhouse.query(
    'select toString(sum(amount_micro)) as micro from charge where org_id = {org:UUID}',
    { org: org_id },
  );
  expect(sum).toEqual({ micro: String((BigInt(total) * BigInt(total + 1)) / 2n) });
  const metrics = await platform.metrics.metrics();
  expect(metrics).toMatch(/netra_outbox_failures_total [1-9]/);
}, 180_000);

// Planted bug that turns it red: comparing the sums of an organisation only; here they agree.
it('clickhouse-4 a charge lost, one doubled and one altered are each found and named, also where the sums agree', async () => {
  const org_id = await node.makeOrg();
  const ctx: Ctx = { ...node.ctxOf(org_id), platform };
  await subscribe({ ctx, input: { plan: 'mid' } });
  const claims = await finishRuns(ctx, [5_000_000n, 5_000_000n, 3_000_000n, 1n]);
  await pumpOutbox({ platform });
  expect(await checkSettled({ platform, input: { org_id } })).toMatchObject({ days: [], breaches: [], faults: [] });
  const { clickhouse } = platform;
  const run = (at: number): string => claims[at]?.run_id ?? '';
  const again = async (text: string): Promise<void> => clickhouse.command(text);
  await again(`insert into charge select * from charge where run_id = '${run(1)}' settings insert_deduplicate = 0`);
  await again(`alter table charge delete where run_id = '${run(0)}'`);
  await again(`alter table charge update amount_micro = 2999999 where run_id = '${run(2)}'`);
  await again(`alter table charge update amount_micro = 2 where run_id = '${run(3)}'`);

  const report = await reconcileCharges({ platform });
  const ours = report.days.filter((day) => day.org_id === org_id);
  expect(ours).toMatchObject([
    { settled_micro: '13000001', summed_micro: '13000001', settled_rows: '4', summed_rows: '4' },
  ]);
  const named = report.faults
    .filter(({ key }) => key['org_id'] === org_id)
    .map(({ fault, key }) => `${fault} ${String(key['run_id'])}`);
  expect(named.toSorted()).toEqual(
    [
      `charge_missing ${run(0)}`,
      `charge_doubled ${run(1)}`,
      `charge_altered ${run(2)}`,
      `charge_altered ${run(3)}`,
    ].toSorted(),
  );
  expect(await platform.metrics.metrics()).toMatch(/netra_reconcile_differences 1\b/);
});
