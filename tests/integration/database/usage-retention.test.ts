/**
 * Segment: operators who keep what their users did no longer than they must
 * Goal: usage goes when its organisation's plan says so, from the rows and the rollups alike, and nobody else's goes
 * Value: the analytics store does not grow for ever, and a plan's term is kept
 * Strategic impact: retention is a term of a plan
 *
 * Planted bugs seen red: the days of one plan for all; rows deleted of every organisation.
 */
import { randomUUID } from 'node:crypto';
import { runServerCommand, suite } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';
import { breakDownUsage, forgetUsage, setUsageRetention } from '../../../server/analytics/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { openAnalytics, type AnalyticsNode } from '../analytics-node.ts';
import { withOwnClickHouse } from '../own-clickhouse.ts';

const on = suite();
let node: AnalyticsNode;
beforeAll(async () => {
  node = await openAnalytics(await withOwnClickHouse(on));
});

const day_ms = 86_400_000;
const ago = (days: number): string => new Date(Date.now() - days * day_ms).toISOString();

async function orgOn(plan: 'free' | 'mid' | 'enterprise', days: readonly number[]): Promise<Ctx> {
  const ctx = node.ctxOf(await node.makeOrg());
  await subscribe({ ctx, input: { plan } });
  const { org_id } = ctx.principal;
  const rows = days.map((day) => ({
    org_id,
    at: ago(day),
    event_id: randomUUID(),
    source: 'import',
    model: 'm',
    input_tokens: 10,
    output_tokens: 1,
    cost_usd: '0.1',
  }));
  await node.platform.clickhouse.insert({ table: 'usage', rows, token: randomUUID() });
  const spans = days.map((day) => ({ OrgId: org_id, Timestamp: ago(day), TraceId: randomUUID(), SpanName: 's' }));
  await node.platform.clickhouse.insert({ table: 'otel_traces', rows: spans, token: randomUUID() });
  return ctx;
}

const kept = async (ctx: Ctx): Promise<readonly unknown[]> => {
  const sums = (await breakDownUsage({ ctx, input: {} })).rows.map(({ calls, cost_usd }) => [calls, cost_usd]);
  const [spans] = await node.platform.clickhouse.query<{ n: number }>(
    'select toUInt32(count()) as n from otel_traces where OrgId = {org:UUID}',
    { org: ctx.principal.org_id },
  );
  return [...sums.flat(), spans?.n];
};

it('usage goes from rows and rollups when the plan says so, by whole days, and nobody else’s does', async () => {
  const { platform } = node;
  const free = await orgOn('free', [0, 29, 29.99, 31.1, 400]);
  const mid = await orgOn('mid', [0, 31.1, 364, 400]);
  const enterprise = await orgOn('enterprise', [0, 400, 4000]);
  await platform.clickhouse.command('alter table usage materialize projection if exists usage_by_day');
  expect(await forgetUsage({ platform, batches: 10 }), 'nobody has decided').toEqual({ orgs: 0 });
  await setUsageRetention({ platform, input: { by: 'ada', plan: 'free', usage_days: 30 } });
  await setUsageRetention({ platform, input: { by: 'ada', plan: 'mid', usage_days: 365 } });
  await setUsageRetention({ platform, input: { by: 'ada', plan: 'enterprise', usage_days: null } });
  expect(await forgetUsage({ platform, batches: 10 })).toEqual({ orgs: 2 });
  expect(await kept(free)).toEqual([3, '0.3', 3]);
  expect(await kept(mid)).toEqual([3, '0.3', 3]);
  expect(await kept(enterprise)).toEqual([3, '0.3', 3]);
  expect(await forgetUsage({ platform, batches: 10 }), 'once is enough').toEqual({ orgs: 0 });
  const past = { by: 'ada', plan: 'free', usage_days: 1, from: new Date(Date.now() - day_ms) };
  await expect(setUsageRetention({ platform, input: past })).rejects.toMatchObject({ code: 'conflict' });
  const nobody = { by: 'ada', plan: 'nobody', usage_days: 1 };
  await expect(setUsageRetention({ platform, input: nobody })).rejects.toMatchObject({ code: 'not_found' });
});

it('an operator says how long, and sees it', async () => {
  const admin = (...args: string[]) => runServerCommand(['admin', 'retention', ...args, '--json'], on.env);
  expect((await admin('set', '--plan', 'early', '--usage-days', '90', '--by', 'ada')).code).toBe(0);
  const { usage_retentions } = JSON.parse((await admin('list')).stdout) as { usage_retentions: object[] };
  expect(usage_retentions).toContainEqual(
    expect.objectContaining({ plan_id: 'early', usage_days: 90, changed_by: 'ada' }),
  );
  expect((await admin('set', '--plan', 'early', '--usage-days', '0')).code).not.toBe(0);
  expect((await admin('set', '--plan', 'early', '--usage-days', '9', '--days', '9')).code).not.toBe(0);
}, 60_000);
