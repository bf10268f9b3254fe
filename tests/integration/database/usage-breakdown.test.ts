/**
 * Segment: whoever is asked what the models cost, and by whom and for what
 * Goal: a breakdown of usage equals the rows to the last digit, from a rollup or not, and is of one organisation alone
 * Value: figures that can be put into a bill, answered in the time of a click
 * Strategic impact: every finding and every forecast stands on these sums
 *
 * Planted bugs seen red: cost summed as Float64; `to` included; the page's own rows left in the rest; a page that begins
 * behind its value alone, without the keys.
 */
import { randomUUID } from 'node:crypto';
import { suite } from '@netra/testkit';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { breakDownUsage, type Breakdown, type BreakdownInput } from '../../../server/analytics/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { openAnalytics, type AnalyticsNode } from '../analytics-node.ts';
import { withOwnClickHouse } from '../own-clickhouse.ts';

const on = suite();
let node: AnalyticsNode;
beforeAll(async () => {
  node = await openAnalytics(await withOwnClickHouse(on));
});

const hostile = [`o'hara"; drop table usage --`, 'a\\b\tc\nd', '{org:UUID} or 1 = 1', 'ü🙂', '%_*', '\\N', "')", ''];
const users = ['ana', 'bo', ...hostile];
const models = ['gpt-x', 'claude-y', 'm\u0000z'];
const first = Date.UTC(2026, 0, 30);
const spanHours = 24 * 5;

interface Call {
  readonly at: number;
  readonly user_id: string;
  readonly agent: string;
  readonly feature: string;
  readonly provider: string;
  readonly model: string;
  readonly source: 'import' | 'run';
  readonly status: 'ok' | 'error';
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** 10⁻¹² dollars. */
  readonly pico: bigint;
  readonly latency_ms: number | null;
}

const call: fc.Arbitrary<Call> = fc.record({
  at: fc.integer({ min: 0, max: spanHours * 3600 - 1 }).map((second) => first + second * 1000),
  user_id: fc.constantFrom(...users),
  agent: fc.constantFrom('', 'triage', 'data'),
  feature: fc.constantFrom('', 'search', 'chat'),
  provider: fc.constantFrom('openai', 'anthropic'),
  model: fc.constantFrom(...models),
  source: fc.constantFrom('import', 'import', 'run'),
  status: fc.constantFrom('ok', 'ok', 'error'),
  input_tokens: fc.integer({ min: 0, max: 1_000_000_000 }),
  output_tokens: fc.integer({ min: 0, max: 1_000_000 }),
  // More digits than a double holds: a float anywhere shows.
  pico: fc.bigInt({ min: 0n, max: 9_999_999_999_999_999_999n }),
  latency_ms: fc.option(fc.integer({ min: 1, max: 100_000 })),
});

const usd = (pico: bigint): string => {
  const fraction = (pico % 10n ** 12n).toString().padStart(12, '0').replace(/0+$/, '');
  return fraction === '' ? `${pico / 10n ** 12n}` : `${pico / 10n ** 12n}.${fraction}`;
};

async function store(ctx: Ctx, calls: readonly Call[], token: string = randomUUID()): Promise<void> {
  const rows = calls.map(({ at, pico, ...row }, index) => ({
    ...row,
    org_id: ctx.principal.org_id,
    event_id: `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
    at: new Date(at).toISOString(),
    cost_usd: usd(pico),
  }));
  await node.platform.clickhouse.insert({ table: 'usage', rows, token });
}

/** Every page of a question, and that each page's rest is what follows it. */
async function everyRow(ctx: Ctx, input: BreakdownInput): Promise<Breakdown['rows']> {
  const rows: Breakdown['rows'][number][] = [];
  const rests: [number, Breakdown['rest']][] = [];
  let cursor: string | undefined;
  for (;;) {
    const page = await breakDownUsage({ ctx, input: { ...input, ...(cursor === undefined ? {} : { cursor }) } });
    rows.push(...page.rows);
    rests.push([rows.length, page.rest]);
    if (page.next === null) break;
    cursor = page.next;
  }
  for (const [from, rest] of rests) {
    const behind = rows.slice(from);
    if (behind.length === 0) expect(rest).toBeNull();
    else {
      expect(rest?.calls).toBe(behind.reduce((sum, row) => sum + Number(row['calls']), 0));
      expect(rest?.input_tokens).toBe(
        behind.reduce((sum, row) => sum + BigInt(String(row['input_tokens'])), 0n).toString(),
      );
    }
  }
  return rows;
}

const keys = ['day', 'hour', 'user', 'agent', 'feature', 'provider', 'model'] as const;
const valueOf: Record<(typeof keys)[number], (call: Call) => string> = {
  day: ({ at }) => new Date(at).toISOString().slice(0, 10),
  hour: ({ at }) => `${new Date(at).toISOString().slice(0, 13)}:00:00Z`,
  user: ({ user_id }) => user_id,
  agent: ({ agent }) => agent,
  feature: ({ feature }) => feature,
  provider: ({ provider }) => provider,
  model: ({ model }) => model,
};

/** What the answer must be, summed here, as a map from the group's keys. */
function expected(calls: readonly Call[], by: readonly (typeof keys)[number][], wanted: (call: Call) => boolean) {
  const groups = new Map<string, { calls: number; errors: number; input: bigint; output: bigint; pico: bigint }>();
  for (const each of calls.filter(wanted)) {
    const key = JSON.stringify(by.map((name) => valueOf[name](each)));
    const sums = groups.get(key) ?? { calls: 0, errors: 0, input: 0n, output: 0n, pico: 0n };
    sums.calls += 1;
    sums.errors += each.status === 'ok' ? 0 : 1;
    sums.input += BigInt(each.input_tokens);
    sums.output += BigInt(each.output_tokens);
    sums.pico += each.pico;
    groups.set(key, sums);
  }
  return Object.fromEntries(
    [...groups].map(([key, { calls: n, errors, input, output, pico }]) => [
      key,
      [n, errors, `${input}`, `${output}`, usd(pico)],
    ]),
  );
}

const nameOf = (key: string): string => (key === 'user' ? 'user_id' : key);
const seen = (rows: Breakdown['rows'], by: readonly string[]) =>
  Object.fromEntries(
    rows.map((row) => [
      JSON.stringify(by.map((key) => row[nameOf(key)])),
      [row['calls'], row['errors'], row['input_tokens'], row['output_tokens'], row['cost_usd']],
    ]),
  );

const question = fc.record({
  by: fc.subarray([...keys], { maxLength: 3 }),
  fromHours: fc.option(fc.integer({ min: 0, max: spanHours })),
  toSeconds: fc.option(fc.integer({ min: 0, max: spanHours * 3600 })),
  days: fc.boolean(),
  user: fc.option(fc.subarray(users, { minLength: 1, maxLength: 4 })),
  model: fc.option(fc.subarray(models, { minLength: 1 })),
  source: fc.constantFrom('import', 'run', 'all'),
  order: fc.constantFrom('key', 'calls', 'cost', 'input_tokens'),
  limit: fc.integer({ min: 2, max: 40 }),
});

describe('a breakdown of usage', () => {
  it('equals the rows to the last digit, by any keys, filters and range, page by page, with rollups and without', async () => {
    const merged = (): Promise<void> => node.platform.clickhouse.command('optimize table usage final');
    const sets = fc.sample(fc.array(call, { minLength: 60, maxLength: 120 }), { numRuns: 3, seed: 5 });
    const ctx = node.ctxOf(await node.makeOrg());
    const stranger = node.ctxOf(await node.makeOrg());
    await store(stranger, sets[0] ?? []);
    let all: readonly Call[] = [];
    // Between the inserts some parts get their rollups, and the last have none: a question reads both.
    for (const [index, calls] of sets.entries()) {
      const token = randomUUID();
      await store(ctx, calls, token);
      // A retried insert changes nothing, neither in the rows nor in what is made of them.
      await store(ctx, calls, token);
      all = [...all, ...calls];
      if (index === 1) await merged();
    }
    await fc.assert(
      fc.asyncProperty(question, async ({ by, fromHours, toSeconds, days, user, model, source, order, limit }) => {
        const from =
          fromHours === null
            ? null
            : first + Math.floor(days ? fromHours / 24 : fromHours) * (days ? 86_400_000 : 3_600_000);
        const to =
          toSeconds === null ? null : first + (days ? Math.floor(toSeconds / 86_400) * 86_400 : toSeconds) * 1000;
        const input = {
          by,
          source,
          order,
          limit,
          ...(from === null ? {} : { from: new Date(from).toISOString() }),
          ...(to === null ? {} : { to: new Date(to).toISOString() }),
          ...(user === null ? {} : { user }),
          ...(model === null ? {} : { model }),
        } as const;
        const rows = await everyRow(ctx, input);
        const wanted = (each: Call): boolean =>
          (source === 'all' || each.source === source) &&
          (from === null || each.at >= from) &&
          (to === null || each.at < to) &&
          (user === null || user.includes(each.user_id)) &&
          (model === null || model.includes(each.model));
        expect(seen(rows, by)).toEqual(expected(all, by, wanted));
        expect(rows.length).toBe(Object.keys(seen(rows, by)).length);
      }),
      { numRuns: 40, seed: 11 },
    );
  }, 60_000);

  it('is answered from a rollup where there is one, and the rollup has the very sums of the rows', async () => {
    const ctx = node.ctxOf(await node.makeOrg());
    const [calls = []] = fc.sample(fc.array(call, { minLength: 400, maxLength: 400 }), { numRuns: 1, seed: 3 });
    await store(ctx, calls.slice(0, 200));
    await store(ctx, calls.slice(200));
    for (const name of ['usage_by_day', 'usage_by_hour']) {
      await node.platform.clickhouse.command(`alter table usage materialize projection if exists ${name}`);
    }
    for (const input of [{ by: ['day', 'user', 'model'] }, { by: ['hour', 'agent'] }, {}] as const) {
      const { query } = await breakDownUsage({ ctx, input: { ...input, by: [...(input.by ?? [])], limit: 1000 } });
      const plan = await node.platform.clickhouse.query<{ explain: string }>(`explain ${query.text}`, query.params);
      expect(plan.map(({ explain }) => explain).join('\n')).toMatch(/ReadFromMergeTree \(usage_by_(day|hour)\)/);
      const raw = query.text.replace('settings ', 'settings optimize_use_projections = 0, ');
      const [rolled, plain] = [query.text, raw].map((text) => node.platform.clickhouse.query(text, query.params));
      expect(await rolled).toEqual(await plain);
    }
  });

  it('finds nobody else’s rows, whatever a filter says, and refuses a cursor of another question', async () => {
    const [calls = []] = fc.sample(fc.array(call, { minLength: 100, maxLength: 100 }), { numRuns: 1, seed: 9 });
    const ctx = node.ctxOf(await node.makeOrg());
    await store(node.ctxOf(await node.makeOrg()), calls);
    for (const text of [...hostile, ctx.principal.org_id, "' or org_id != '"]) {
      for (const key of ['user', 'agent', 'feature', 'provider', 'model'] as const) {
        const { rows } = await breakDownUsage({ ctx, input: { by: ['user'], source: 'all', [key]: [text] } });
        expect(rows).toEqual([]);
      }
    }
    expect((await breakDownUsage({ ctx, input: {} })).rows).toEqual([]);
    await store(ctx, calls);
    const { next } = await breakDownUsage({ ctx, input: { by: ['user'], limit: 2 } });
    for (const [input, field] of [
      [{ by: ['model'], cursor: next ?? '' }, 'cursor'],
      [{ by: ['user'], limit: 2, cursor: `${next}x`.slice(4) }, 'cursor'],
      [{ by: ['user', 'user'] }, 'by'],
      [{ from: '2026-13-01' }, 'from'],
      [{ to: "2026' or 1" }, 'to'],
      [{ limit: 0 }, 'limit'],
    ] as const) {
      await expect(breakDownUsage({ ctx, input: input as unknown as BreakdownInput })).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining(field) as string,
      });
    }
  });

  it('tells quantiles within 1 % of the value of that rank', async () => {
    const ctx = node.ctxOf(await node.makeOrg());
    const [calls = []] = fc.sample(fc.array(call, { minLength: 500, maxLength: 500 }), { numRuns: 1, seed: 4 });
    const mine = calls.map((each) => ({ ...each, source: 'import' as const }));
    await store(ctx, mine);
    const { rows } = await breakDownUsage({ ctx, input: { quantiles: ['latency', 'cost'] } });
    const times = mine.flatMap(({ latency_ms }) => latency_ms ?? []).toSorted((a, b) => a - b);
    const costs = mine.map(({ pico }) => Number(pico) / 1e12).toSorted((a, b) => a - b);
    for (const [field, values] of [
      ['latency_ms', times],
      ['cost_usd_each', costs],
    ] as const) {
      for (const [index, rank] of [0.5, 0.95, 0.99].entries()) {
        const told = (rows[0]?.[field] as readonly number[] | undefined)?.[index] ?? 0;
        const place = rank * (values.length - 1);
        expect(told).toBeGreaterThanOrEqual((values[Math.floor(place)] ?? 0) * 0.9899);
        expect(told).toBeLessThanOrEqual((values[Math.ceil(place)] ?? 0) * 1.0101);
      }
    }
    const none = await breakDownUsage({ ctx, input: { quantiles: ['latency'], by: ['user'], user: ['nobody'] } });
    expect(none.rows).toEqual([]);
  });
});
