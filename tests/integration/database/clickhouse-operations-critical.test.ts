/**
 * Segment: every plan; analytics is what the data and optimization agents stand on.
 * Goal: what is sent to ClickHouse comes back whole, exact, once, and only to its organisation.
 * Value: a report's figures can be trusted to the cent, and a charge shown is a charge made.
 * Strategic impact: one wrong or leaked figure ends a customer's trust in all the others.
 */
import { randomUUID } from 'node:crypto';
import { createClickHouseDatabase, databaseName, dropClickHouseDatabase, suite, withOwner } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkSettled,
  pumpOutbox,
  readActivities,
  readEvents,
  readMetrics,
  recordActivities,
  recordEvents,
  recordMetrics,
  summariseMetric,
  type NewActivity,
  type NewEventFact,
  type NewMetric,
} from '../../../server/analytics/index.ts';
import { migrateDown, migrateUp, openClickHouse, type Ctx } from '../../../server/platform/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { openAnalytics, type AnalyticsNode } from '../analytics-node.ts';
import { channelStep, killedMigrator, openSteps } from './migrator.ts';
import { finishRuns } from './settled-runs.ts';

const on = suite();
let node: AnalyticsNode;
beforeAll(async () => {
  node = await openAnalytics(on);
});

const newCtx = async (): Promise<Ctx> => node.ctxOf(await node.makeOrg());
const second = (n: number): string => new Date(Date.UTC(2026, 9, 1) + n * 1000).toISOString();
const stored = (at: string): string => at.replace('T', ' ').replace('Z', '000');

describe('clickhouse-1: events', () => {
  const events = (count: number): NewEventFact[] =>
    Array.from({ length: count }, (_, n) => ({
      event_id: randomUUID(),
      at: second(n),
      type: n % 2 === 0 ? 'run.completed' : 'run.failed',
      user_id: `user-${n % 5}`,
      run_id: randomUUID(),
      data: { n, exact: '9007199254740993', text: 'ü "quoted" \\ \n \t', nested: [null, { deep: true }] },
    }));

  // Planted bug that turns it red: async inserts without waiting, or `data` stored as anything but the JSON it was.
  it('clickhouse-1 a batch of 10 is back at once, field for field', async () => {
    const ctx = await newCtx();
    const batch = events(10);
    expect(await recordEvents({ ctx, input: batch })).toEqual({ inserted: 10, duplicates: 0, rejected: 0, errors: [] });
    const { rows, query } = await readEvents({ ctx, input: {} });
    expect(rows).toEqual(batch.toReversed().map((event) => ({ ...event, at: stored(event.at) })));
    expect(query.params).toMatchObject({ org: ctx.principal.org_id });
  });

  it('clickhouse-1 they come back by type, by user and by time range, the end of it not included', async () => {
    const ctx = await newCtx();
    const batch = events(60);
    await recordEvents({ ctx, input: batch });
    const ids = async (input: Parameters<typeof readEvents>[0]['input']): Promise<readonly string[]> =>
      (await readEvents({ ctx, input })).rows.map((row) => row.event_id);
    const wanted = (keep: (event: NewEventFact, n: number) => boolean): readonly string[] =>
      batch
        .filter(keep)
        .map((event) => event.event_id)
        .toReversed();

    expect(await ids({ kind: 'run.failed' })).toEqual(wanted((event) => event.type === 'run.failed'));
    expect(await ids({ user_id: 'user-3' })).toEqual(wanted((event) => event.user_id === 'user-3'));
    expect(await ids({ from: second(10), to: second(20) })).toEqual(wanted((_, n) => n >= 10 && n < 20));
    expect(await ids({ kind: 'run.completed', user_id: 'user-0', from: second(30), to: second(60) })).toEqual(
      wanted((event, n) => event.type === 'run.completed' && event.user_id === 'user-0' && n >= 30),
    );
    expect(await ids({ run_id: batch[7]?.run_id ?? '' })).toEqual([batch[7]?.event_id]);
  });

  // Planted bug that turns it red: counting what was sent as what was inserted.
  it('clickhouse-1 the insert says what was inserted, what was there, and what was refused and why', async () => {
    const ctx = await newCtx();
    const [first, ...rest] = events(10);
    if (first === undefined) throw new Error('there are ten');
    await recordEvents({ ctx, input: [first] });
    const bad = { ...first, event_id: 'no uuid' };
    expect(await recordEvents({ ctx, input: [first, ...rest, ...rest, bad, { ...first, at: 'yesterday' }] })).toEqual({
      inserted: 9,
      duplicates: 10,
      rejected: 2,
      errors: [
        { row: 19, message: expect.stringContaining('event_id') as string },
        { row: 20, message: expect.stringContaining('at: must be a time') as string },
      ],
    });
    expect((await readEvents({ ctx, input: {} })).rows).toHaveLength(10);
  });
});

describe('clickhouse-2: metrics', () => {
  const metrics = (name: string, values: readonly string[]): NewMetric[] =>
    values.map((value, n) => ({ event_id: randomUUID(), at: second(n), name, value }));
  const summary = async (ctx: Ctx, kind: string) => (await summariseMetric({ ctx, input: { kind } })).rows[0];

  it('clickhouse-2 20 values from 100 to 290 sum, average and bound exactly', async () => {
    const ctx = await newCtx();
    const values = Array.from({ length: 20 }, (_, n) => String(100 + 10 * n));
    await recordMetrics({ ctx, input: [...metrics('latency', values), ...metrics('other', ['1'])] });
    expect(await summary(ctx, 'latency')).toMatchObject({
      count: 20,
      sum: '3900',
      avg: '195',
      min: '100',
      max: '290',
    });
  });

  // Planted bug that turns it red: the column as Float64, or sums through toFloat64.
  it('clickhouse-2 decimals stay exact where a float would not', async () => {
    const ctx = await newCtx();
    const values = ['0.1', '0.2', '0.000000000001', '12345678901234567890.123456789012', '-0.3'];
    await recordMetrics({ ctx, input: metrics('cost', values) });
    expect(await summary(ctx, 'cost')).toMatchObject({
      sum: '12345678901234567890.123456789013',
      avg: '2469135780246913578.024691357802',
      min: '-0.3',
      max: '12345678901234567890.123456789012',
    });
    const { rows } = await readMetrics({ ctx, input: { kind: 'cost' } });
    expect(rows.map((row) => row.value)).toEqual(values.toReversed());
  });

  it('clickhouse-2 a value that the decimal cannot hold is refused, not rounded', async () => {
    const ctx = await newCtx();
    const values = ['0.0000000000001', '1e3', 'NaN', '100000000000000000000000000', '1'];
    expect(await recordMetrics({ ctx, input: metrics('odd', values) })).toMatchObject({ inserted: 1, rejected: 4 });
  });

  it('clickhouse-2 quantiles are values of the metric, exactly', async () => {
    const ctx = await newCtx();
    const values = Array.from({ length: 1000 }, (_, n) => `${(n * 7919) % 1000}.5`);
    await recordMetrics({ ctx, input: metrics('latency', values) });
    // quantileExact takes the value at floor(level × count): no interpolation, so its error is none.
    expect(await summary(ctx, 'latency')).toMatchObject({ count: 1000, p50: '500.5', p95: '950.5', p99: '990.5' });
  });

  it('clickhouse-2 no values have no average', async () => {
    expect(await summary(await newCtx(), 'none')).toMatchObject({
      count: 0,
      sum: '0',
      avg: null,
      min: null,
      p95: null,
    });
  });
});

describe('clickhouse-3: activities under load', () => {
  const users = ['user-0', 'user-1', 'user-2', 'user-3', 'user-4'];
  /** 1,000 activities, the users in turn, one a second. */
  const activities = (mark: string): NewActivity[] =>
    Array.from({ length: 1000 }, (_, n) => ({
      event_id: randomUUID(),
      at: second(n),
      user_id: users[n % users.length] ?? '',
      action: 'open',
      data: { mark, n },
    }));
  const batches = <T>(rows: readonly T[]): T[][] =>
    Array.from({ length: rows.length / 200 }, (_, n) => rows.slice(n * 200, (n + 1) * 200));

  // Planted bug that turns it red: `org_id = {org:UUID}` missing from the text doubles each answer.
  it('clickhouse-3 each user sees their own 100 rows of each range, newest first, and no other organisation’s', async () => {
    const [ours, theirs] = [await newCtx(), await newCtx()];
    const sent = activities('ours');
    await Promise.all([
      ...batches(sent).map((input) => recordActivities({ ctx: ours, input })),
      ...batches(activities('theirs')).map((input) => recordActivities({ ctx: theirs, input })),
    ]);
    const halves = [
      { from: second(0), to: second(500) },
      { from: second(500), to: second(1000) },
    ];
    const asked = users.flatMap((user_id) => halves.map((half) => ({ user_id, ...half })));
    const answers = await Promise.all(asked.map((input) => readActivities({ ctx: ours, input })));

    answers.forEach(({ rows }, place) => {
      const { user_id, from, to } = asked[place] ?? { user_id: '', from: '', to: '' };
      const wanted = sent.filter((row) => row.user_id === user_id && row.at >= from && row.at < to);
      expect(wanted).toHaveLength(100);
      expect(rows.map((row) => row.event_id)).toEqual(wanted.map((row) => row.event_id).toReversed());
      expect(rows.every((row) => JSON.stringify(row.data).includes('"ours"'))).toBe(true);
    });
  });

  // Planted bug that turns it red: a plain MergeTree, or reading without `final`.
  it('clickhouse-3 senders that overlap at the same time leave each row once', async () => {
    const ctx = await newCtx();
    const sent = activities('twice').slice(0, 300);
    await Promise.all(
      [sent.slice(0, 200), sent.slice(100), sent, sent].map((input) => recordActivities({ ctx, input })),
    );
    expect((await readActivities({ ctx, input: {} })).rows).toHaveLength(300);
  });
});

describe('clickhouse-4: what PostgreSQL settled', () => {
  const summed = async (ctx: Ctx, table: 'charge' | 'usage'): Promise<Record<string, unknown> | undefined> => {
    const texts = {
      charge:
        'select toString(sum(amount_micro)) as sum, toUInt32(count()) as rows from charge where org_id = {org:UUID}',
      usage: `select toString(sum(input_tokens)) as sum, toUInt32(count()) as rows from usage
        where org_id = {org:UUID} and source = 'run'`,
    };
    const params = { org: ctx.principal.org_id };
    return (await ctx.platform.clickhouse.query<Record<string, unknown>>(texts[table], params))[0];
  };

  const newSubscriber = async (): Promise<Ctx> => {
    const ctx = await newCtx();
    await subscribe({ ctx, input: { plan: 'mid' } });
    return ctx;
  };
  /** 6 credits and a bit: nothing that a float or a rounding would keep. */
  const spent = [6_000_001n, 1n, 9_999_999n, 0n, 3_333_333n];

  it('clickhouse-4 equals what ClickHouse sums, to the micro-credit, and each run’s event, activity and metric agree', async () => {
    const ctx = await newSubscriber();
    const claims = await finishRuns(ctx, spent);
    await pumpOutbox({ platform: ctx.platform });

    const total = spent.reduce((sum, amount) => sum + amount, 0n);
    expect(await summed(ctx, 'charge')).toEqual({ sum: String(total), rows: spent.length });
    expect(await summed(ctx, 'usage')).toEqual({ sum: String(9007199254740993n * 5n), rows: spent.length });
    expect((await summariseMetric({ ctx, input: { kind: 'run.spent_micro' } })).rows[0]).toMatchObject({
      count: spent.length,
      sum: String(total),
    });
    for (const [place, { run_id }] of claims.entries()) {
      const [events, activities, metrics] = await Promise.all([
        readEvents({ ctx, input: { run_id } }),
        readActivities({ ctx, input: { run_id } }),
        readMetrics({ ctx, input: { run_id } }),
      ]);
      expect(events.rows).toMatchObject([{ type: 'run.completed', data: { amount_micro: String(spent[place]) } }]);
      expect(activities.rows).toMatchObject([{ action: 'run', data: { agent: 'triage', state: 'completed' } }]);
      expect(metrics.rows).toMatchObject([{ name: 'run.spent_micro', value: String(spent[place]) }]);
    }
    const report = await checkSettled({ platform: ctx.platform });
    expect(report).toMatchObject({ waiting: 0, breaches: [] });
    expect(report.organisations).toBeGreaterThan(0);
  });

  // Planted bug that turns it red: a random token for each insert instead of the batch's id.
  it('clickhouse-4 a sender that died after its insert is repeated, and nothing is counted twice', async () => {
    const ctx = await newSubscriber();
    await finishRuns(ctx, spent);
    await pumpOutbox({ platform: diesBeforeClearing(ctx) }).then(
      () => expect.unreachable('the sender was to die'),
      (error: unknown) => expect(String(error)).toContain('killed'),
    );
    expect(await summed(ctx, 'charge')).toMatchObject({ rows: spent.length });
    const waiting = await checkSettled({ platform: ctx.platform });
    expect(waiting.waiting).toBe(1);

    await endLeases();
    await pumpOutbox({ platform: ctx.platform });
    expect(await summed(ctx, 'charge')).toMatchObject({ rows: spent.length });
    expect(await summed(ctx, 'usage')).toMatchObject({ rows: spent.length });
    expect(await checkSettled({ platform: ctx.platform })).toMatchObject({ waiting: 0, breaches: [] });
  });

  it('clickhouse-4 several senders at once send each row once', async () => {
    const ctx = await newSubscriber();
    await finishRuns(ctx, spent);
    const sent = await Promise.all([1, 2, 3, 4].map(() => pumpOutbox({ platform: ctx.platform })));
    expect(sent.reduce((sum, { rows }) => sum + rows, 0)).toBe(2 * spent.length);
    expect(await summed(ctx, 'charge')).toMatchObject({ rows: spent.length });
  });

  // Planted bug that turns it red: throwing at the first batch that fails.
  it('clickhouse-4 a row that nobody can read holds up no other, and is not lost', async () => {
    const [broken, ctx] = [await newSubscriber(), await newSubscriber()];
    await broken.platform.postgres.inOrg(broken.principal.org_id, (tx) =>
      tx.rows({
        text: "insert into netra.outbox (org_id, event_id, kind, at, payload) values ($1, $2, 'odd', now() - interval '1 h', '{}')",
        values: [broken.principal.org_id, randomUUID()],
      }),
    );
    await finishRuns(ctx, spent);
    const failure: unknown = await pumpOutbox({ platform: ctx.platform }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AggregateError);
    expect(await summed(ctx, 'charge')).toMatchObject({ rows: spent.length });
    const left = await withOwner(on.stores.postgres_url, (client) => client.query('select kind from netra.outbox'));
    expect(left.rows).toEqual([{ kind: 'odd' }]);
    await withOwner(on.stores.postgres_url, (client) => client.query('truncate netra.outbox, netra.outbox_batch'));
  });

  // Planted bug that turns it red: a check that compares totals over all organisations, or none at all.
  it('clickhouse-4 the check names the organisation whose sums differ', async () => {
    const ctx = await newSubscriber();
    const [claim] = await finishRuns(ctx, [5_000_000n]);
    await pumpOutbox({ platform: ctx.platform });
    const { org_id } = ctx.principal;
    const row = { org_id, at: '2026-10-01 00:00:00', event_id: randomUUID(), run_id: claim?.run_id, amount_micro: 1 };
    await ctx.platform.clickhouse.insert({ table: 'charge', rows: [row], token: randomUUID() });
    expect((await checkSettled({ platform: ctx.platform })).breaches).toEqual([
      { org_id, settled_micro: '5000000', summed_micro: '5000001' },
    ]);
  });

  it('clickhouse-4 a batch that comes again changes nothing: in ClickHouse itself, by its token', async () => {
    const ctx = await newCtx();
    const token = randomUUID();
    const row = { org_id: ctx.principal.org_id, at: '2026-10-01 00:00:00', run_id: randomUUID(), amount_micro: 7 };
    for (let times = 0; times < 3; times += 1) {
      const rows = [{ ...row, event_id: randomUUID() }];
      await ctx.platform.clickhouse.insert({ table: 'charge', rows, token });
    }
    expect(await summed(ctx, 'charge')).toEqual({ sum: '7', rows: 1 });
  });

  /** A process that is killed between ClickHouse's yes and the outbox's: every other call is the real one. */
  function diesBeforeClearing(ctx: Ctx): Ctx['platform'] {
    const { postgres } = ctx.platform;
    let killed = false;
    const call: typeof postgres.call = async (statement) => {
      killed ||= statement.name === 'clear_outbox';
      if (killed) throw new Error('killed');
      return postgres.call(statement);
    };
    return { ...ctx.platform, postgres: { ...postgres, call } };
  }

  /** As if the dead sender's minute had passed. */
  async function endLeases(): Promise<void> {
    await withOwner(on.stores.postgres_url, (client) =>
      client.query("update netra.outbox_batch set taken_until = now() - interval '1 second'"),
    );
  }
});

describe('clickhouse-5: a column more', () => {
  const steps = openSteps(on);
  // Planted bug that turns it red, as in migrate.test.ts: the memory of a statement written before it ran.
  it('clickhouse-5 under live inserts, killed at every statement and run again, twice: no row is lost, old ones read the default', async () => {
    const name = databaseName('column');
    const clickhouse_url = await createClickHouseDatabase(on.stores.clickhouse_url, name);
    on.onEnd(() => dropClickHouseDatabase(on.stores.clickhouse_url, name));
    const { platform } = node;
    const urls = { postgres_url: on.stores.postgres_url, clickhouse_url };
    await migrateUp({ urls, log: platform.log });
    const store = openClickHouse(clickhouse_url, { log: platform.log });
    on.onEnd(() => store.close());
    const dir = steps.folder({ clickhouse: channelStep });
    const places = ['begin/0', 'statement/1', 'recorded/1', 'statement/2', 'recorded/2', 'statement/3'];
    const org_id = randomUUID();
    const insert = async (rows: number, more: object = {}): Promise<void> => {
      const row = { org_id, at: '2026-10-01 00:00:00', type: 'x', ...more };
      const values = Array.from({ length: rows }, () => ({ ...row, event_id: randomUUID() }));
      await store.insert({ table: 'event', rows: values, token: randomUUID() });
    };
    await insert(100);
    let [sent, stopped] = [100, false];
    const live = (async () => {
      for (; !stopped; sent += 10) await insert(10);
    })();
    for (const round of [1, 2]) {
      for (const place of round === 1 ? places : places.slice(-1))
        expect(await killedMigrator({ urls, dir, kill: `clickhouse/up/9001/${place}` }), place).toBe('SIGKILL');
      expect((await migrateUp({ urls, dir, log: platform.log })).clickhouse.map(({ version }) => version)).toEqual([
        9001,
      ]);
      await migrateUp({ urls, dir, log: platform.log });
      await insert(5, { channel: `app ${round}`, weight: '0.000001' });
      const counted = await store.query(
        'select channel, toString(weight) as weight, count() > 99 as many from event where org_id = {org_id:UUID} group by 1, 2 order by 1',
        { org_id },
      );
      expect(counted).toMatchObject([
        { channel: `app ${round}`, weight: '0.000001' },
        { channel: 'web', weight: '1.5', many: 1 },
      ]);
      sent += 5;
      if (round === 1) await migrateDown({ urls, dir, log: platform.log, store: 'clickhouse' });
    }
    stopped = true;
    await live;
    const [{ rows } = { rows: '' }] = await store.query<{ rows: string }>(
      'select toString(count()) as rows from event',
      {},
    );
    expect(Number(rows)).toBe(sent);
  }, 60_000);
});
