import { createHash, randomUUID } from 'node:crypto';
import { suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { importUsage, usageByDay, usageTotals, type UsageImport } from '../../../server/analytics/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { openAnalytics, type AnalyticsNode } from '../analytics-node.ts';

const on = suite();
let node: AnalyticsNode;
beforeAll(async () => {
  node = await openAnalytics(on);
});

const newCtx = async (): Promise<Ctx> => node.ctxOf(await node.makeOrg());
const header = 'time,input_tokens,output_tokens\n';
const rowOf = (n: number): string =>
  `2026-10-${String(1 + (n % 28)).padStart(2, '0')}T10:00:00.${String(n % 10_000_000).padStart(7, '0')}Z,${n % 9000},${n % 500}\n`;
const fileOf = (rows: number): string => header + Array.from({ length: rows }, (_, n) => rowOf(n)).join('');

async function* bytesOf(content: string, chunk_bytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let from = 0; from < bytes.length; from += chunk_bytes) yield bytes.subarray(from, from + chunk_bytes);
}

const importFile = (ctx: Ctx, content: string, options: Partial<UsageImport> = {}) =>
  importUsage({
    ctx,
    input: { format: 'csv', model: 'gpt-4o', key: randomUUID(), ...options, source: bytesOf(content) },
  });

const totals = async (ctx: Ctx) => (await usageTotals({ ctx, input: {} })).rows[0];

/** Calls and sums of a file of `rowOf` rows, worked out without any of our code. */
function sumsOf(rows: number) {
  let [input, output] = [0, 0];
  for (let n = 0; n < rows; n += 1) {
    input += n % 9000;
    output += n % 500;
  }
  return { calls: rows, input_tokens: String(input), output_tokens: String(output) };
}

describe('importUsage', () => {
  it('keeps each row of a file as exporters write it: CRLF, other names, 100 ns, no last line break', async () => {
    const ctx = await newCtx();
    const file = [
      'TIMESTAMP,ContextTokens,GeneratedTokens',
      '2023-11-16 18:17:03.9799600,4808,10',
      '2023-11-16 18:17:04.0319600,3180,8',
      '2023-11-17 19:14:19.9280160,549,173',
    ].join('\r\n');
    const map = { time: 'TIMESTAMP', input_tokens: 'ContextTokens', output_tokens: 'GeneratedTokens' };
    const result = await importFile(ctx, file, { map });
    // gpt-4o: 8,537 × $2.50 + 191 × $10 a million.
    const sums = { calls: 3, input_tokens: '8537', output_tokens: '191', cost_usd: '0.0232525' };
    expect(result).toMatchObject({ accepted: 3, rejected: 0, duplicates: 0, errors: [], totals: sums });
    expect(await totals(ctx)).toMatchObject({
      ...sums,
      first_at: '2023-11-16 18:17:03.9799600',
      last_at: '2023-11-17 19:14:19.9280160',
    });
    expect((await usageByDay({ ctx, input: {} })).rows).toMatchObject([
      { day: '2023-11-16', calls: 2 },
      { day: '2023-11-17', calls: 1 },
    ]);
  });

  // Planted bug that turns it red: inserting while the file is being checked.
  it('keeps nothing of a file with a bad row, and names the lines', async () => {
    const ctx = await newCtx();
    const file = `${fileOf(50_000)}2026-10-01T00:00:00Z,-5,1\n2026-10-01T00:00:00Z,5`;
    await expect(importFile(ctx, file)).rejects.toMatchObject({
      code: 'invalid_usage_file',
      message: expect.stringContaining('The first is line 50002: input_tokens is negative: "-5"') as string,
      detail: {
        accepted: 0,
        rejected: 2,
        good: 50_000,
        errors: [
          { line: 50_002, message: 'input_tokens is negative: "-5"' },
          { line: 50_003, message: 'has 2 columns, not 3 (the file ends inside this line)' },
        ],
      },
    });
    expect(await totals(ctx)).toMatchObject({ calls: 0 });
  });

  it('keeps the good rows where it is told to, counts both, and shows the first 100 errors', async () => {
    const ctx = await newCtx();
    const file = header + Array.from({ length: 1000 }, (_, n) => (n % 2 === 0 ? rowOf(n) : 'x,1,2\n')).join('');
    const result = await importFile(ctx, file, { skip_bad: true });
    expect(result).toMatchObject({ accepted: 500, rejected: 500 });
    expect(result.errors).toHaveLength(100);
    expect(result.errors[0]).toEqual({ line: 3, message: 'time is not a date and time: "x"' });
    expect(await totals(ctx)).toMatchObject({ calls: 500 });
  });

  // Planted bug that turns it red: a backslash or a line break that is written as it is.
  it('keeps whatever a column holds, and what it does not hold', async () => {
    const ctx = await newCtx();
    const odd = ['\\N', 'a\tb\\tc', 'd\r\ne', '"ü, 猫 😀"', 'f\u0000g'];
    const call = { time: '2026-10-01T00:00:00Z', input_tokens: 5, output_tokens: 1, cost_usd: '0.000000000001' };
    const lines = odd.map((text) => JSON.stringify({ ...call, feature: text, error: text, retry_of: text }));
    const file = [...lines, JSON.stringify({ ...call, latency_ms: 0 })].join('\n');
    expect(await importFile(ctx, file, { format: 'jsonl', user: 'é' })).toMatchObject({ accepted: 6 });
    const rows = await ctx.platform.clickhouse.query(
      `select feature, error, retry_of, status, latency_ms, user_id, prompt_hash, toString(cost_usd) as cost
from usage where org_id = {org:UUID} order by import_line`,
      { org: ctx.principal.org_id },
    );
    const common = { user_id: 'é', prompt_hash: '', cost: '0.000000000001' };
    expect(rows).toEqual([
      ...odd.map((text) => ({
        ...common,
        feature: text,
        error: text,
        retry_of: text,
        status: 'error',
        latency_ms: null,
      })),
      { ...common, feature: '', error: '', retry_of: '', status: 'ok', latency_ms: 0 },
    ]);
  });

  it('names a constant model without a price before it reads the file', async () => {
    const source = bytesOf('never read');
    const ctx = await newCtx();
    await expect(
      importUsage({ ctx, input: { format: 'csv', key: 'k', model: 'gpt-4o-minni', source } }),
    ).rejects.toMatchObject({
      code: 'invalid_request',
      detail: { similar: expect.arrayContaining(['gpt-4o-mini']) as string[] },
    });
    expect((await source.next()).done).toBe(false);
  });

  it('takes a file that spreads over more months than ClickHouse takes in one block', async () => {
    const ctx = await newCtx();
    const months = Array.from({ length: 240 }, (_, n) => new Date(Date.UTC(2016, n, 2)).toISOString());
    await importFile(ctx, header + months.map((time) => `${time},1,1\n`).join(''));
    expect(await totals(ctx)).toMatchObject({ calls: 240 });
  });

  it('refuses viewers', async () => {
    const ctx = node.ctxOf(await node.makeOrg(), 'viewer');
    await expect(importFile(ctx, fileOf(1))).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('importUsage by key', () => {
  it('adds the same file once, and says that its rows were there', async () => {
    const ctx = await newCtx();
    const first = await importFile(ctx, fileOf(100), { key: 'october' });
    const again = await importFile(ctx, fileOf(100), { key: 'october' });
    expect(again).toEqual({ ...first, accepted: 0, duplicates: 100 });
    expect(await totals(ctx)).toMatchObject(sumsOf(100));
  });

  // Planted bug that turns it red: a hash of the file alone, or no hash.
  it('refuses the key for another file or other options', async () => {
    const ctx = await newCtx();
    await importFile(ctx, fileOf(100), { key: 'october' });
    const reused = { code: 'idempotency_key_reused' };
    await expect(importFile(ctx, fileOf(101), { key: 'october' })).rejects.toMatchObject(reused);
    await expect(importFile(ctx, fileOf(100), { key: 'october', model: 'gpt-4.1' })).rejects.toMatchObject(reused);
    expect(await totals(ctx)).toMatchObject(sumsOf(100));
  });

  it('lets another organisation use the same key', async () => {
    const [ours, theirs] = [await newCtx(), await newCtx()];
    await importFile(ours, fileOf(100), { key: 'october' });
    expect(await importFile(theirs, fileOf(30), { key: 'october' })).toMatchObject({ accepted: 30, duplicates: 0 });
    expect(await totals(ours)).toMatchObject(sumsOf(100));
    expect(await totals(theirs)).toMatchObject(sumsOf(30));
  });

  it('lets one of two at once through', async () => {
    const ctx = await newCtx();
    const file = fileOf(30_000);
    const both = await Promise.allSettled([1, 2].map(() => importFile(ctx, file, { key: 'october' })));
    const conflicts = both.filter((one) => one.status === 'rejected').map((one): unknown => one.reason);
    for (const reason of conflicts) expect(reason).toMatchObject({ code: 'conflict' });
    expect(conflicts.length).toBeLessThan(2);
    expect(await totals(ctx)).toMatchObject(sumsOf(30_000));
  });

  // Planted bug that turns it red: a random event id and token for each attempt.
  it.each(['before', 'after'] as const)(
    'completes an import whose process was killed %s an insert arrived',
    async (when) => {
      const ctx = await newCtx();
      const file = fileOf(70_000);
      const dying = { ...ctx, platform: diesAtSecondInsert(ctx.platform, when) };
      await expect(importFile(dying, file, { key: 'october' })).rejects.toThrow('killed');
      // Its lease is still held: nobody else may take it yet.
      await expect(importFile(ctx, file, { key: 'october' })).rejects.toMatchObject({ code: 'conflict' });
      await endLease(ctx);

      const result = await importFile(ctx, file, { key: 'october' });
      expect(result.accepted + result.duplicates).toBe(70_000);
      expect(result.duplicates).toBeGreaterThan(0);
      expect(await totals(ctx)).toMatchObject(sumsOf(70_000));
    },
  );

  // Planted bug that turns it red: the whole batch sent again.
  it('completes an import of which a part of a batch is there', async () => {
    const ctx = await newCtx();
    const file = fileOf(30_000);
    // As a server that dies between two partitions of one insert leaves it.
    const { clickhouse } = ctx.platform;
    const insertText: typeof clickhouse.insertText = async (options) => {
      const lines = Buffer.from(options.body).toString().split('\n');
      const body = Buffer.from(lines.filter((_, at) => at % 3 > 0).join('\n'));
      await clickhouse.insertText({ ...options, body, token: randomUUID() });
      throw new Error('killed');
    };
    const dying = { ...ctx, platform: { ...ctx.platform, clickhouse: { ...clickhouse, insertText } } };
    await expect(importFile(dying, file, { key: 'october' })).rejects.toThrow('killed');
    const { calls = 0 } = (await totals(ctx)) ?? {};
    expect(calls).toBeGreaterThan(10_000);

    const result = await importFile(ctx, file, { key: 'october' });
    expect(result).toMatchObject({ accepted: 30_000 - calls, duplicates: calls });
    expect(await totals(ctx)).toMatchObject(sumsOf(30_000));
  });

  it('lets go of an import that failed, so that it can be tried again at once', async () => {
    const ctx = await newCtx();
    const { clickhouse } = ctx.platform;
    const insertText: typeof clickhouse.insertText = async () => Promise.reject(new Error('down'));
    const broken = { ...ctx, platform: { ...ctx.platform, clickhouse: { ...clickhouse, insertText } } };
    await expect(importFile(broken, fileOf(10), { key: 'october' })).rejects.toThrow('down');
    expect(await importFile(ctx, fileOf(10), { key: 'october' })).toMatchObject({ accepted: 10 });
  });
});

/** A process that ends at its second insert: from then on nothing it says reaches a store. */
function diesAtSecondInsert(platform: Ctx['platform'], when: 'before' | 'after'): Ctx['platform'] {
  const { clickhouse, postgres } = platform;
  let inserts = 0;
  const insertText: typeof clickhouse.insertText = async (options) => {
    inserts += 1;
    if (inserts > 1 && when === 'before') throw new Error('killed');
    await clickhouse.insertText(options);
    if (inserts > 1) throw new Error('killed');
  };
  const call: typeof postgres.call = async (statement) => {
    if (inserts > 1) throw new Error('killed');
    return postgres.call(statement);
  };
  return { ...platform, clickhouse: { ...clickhouse, insertText }, postgres: { ...postgres, call } };
}

/** As if the dead process's half minute had passed. */
async function endLease({ platform, principal }: Ctx): Promise<void> {
  await platform.postgres.inOrg(principal.org_id, (tx) =>
    tx.rows({ text: "update netra.usage_import set lease_until = now() - interval '1 s'", values: [] }),
  );
}

describe('a row’s identity', () => {
  it('follows from its import and its line', async () => {
    const ctx = await newCtx();
    const { import_id } = await importFile(ctx, fileOf(3), { key: 'october' });
    const hex = createHash('sha256').update(`${ctx.principal.org_id}:october`).digest('hex');
    expect(import_id.slice(0, 8)).toBe(hex.slice(0, 8));
    const rows = await ctx.platform.clickhouse.query<{ id: string }>(
      'select toString(event_id) as id from usage where org_id = {org:UUID} order by import_line',
      { org: ctx.principal.org_id },
    );
    expect(rows.map(({ id }) => id)).toEqual([2, 3, 4].map((line) => import_id.slice(0, -1) + String(line)));
  });
});
