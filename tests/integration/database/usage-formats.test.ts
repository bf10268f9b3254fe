/**
 * Segment: every team that already logs its LLM calls somewhere.
 * Goal: the logs of LiteLLM and Langfuse go in as they were exported.
 * Value: the first finding is minutes away, without a script that turns one log into another.
 * Strategic impact: who need not change their gateway can try us beside it.
 *
 * Planted bug that turns it red: `total_cost: 0` without details taken for a free call; `input_cached_tokens` of
 * Langfuse left out of the input; a span counted as a call.
 */
import { randomUUID } from 'node:crypto';
import { suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { importUsage, usageTotals, type UsageImport } from '../../../server/analytics/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { openAnalytics, type AnalyticsNode } from '../analytics-node.ts';

const on = suite();
let node: AnalyticsNode;
beforeAll(async () => {
  node = await openAnalytics(on);
});

const newCtx = async (): Promise<Ctx> => node.ctxOf(await node.makeOrg());

async function* bytesOf(content: string, chunk_bytes: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let from = 0; from < bytes.length; from += chunk_bytes) yield bytes.subarray(from, from + chunk_bytes);
}

const importFile = (ctx: Ctx, content: string, options: Partial<UsageImport> = {}, chunk_bytes = 64 * 1024) =>
  importUsage({
    ctx,
    input: { format: 'auto', key: randomUUID(), ...options, source: bytesOf(content, chunk_bytes) },
  });

const stored = (ctx: Ctx) =>
  ctx.platform.clickhouse.query(
    `select origin, toString(at) as at, request_id, model, provider, operation, user_id, feature, input_tokens, cached_input_tokens,
       cache_write_tokens, output_tokens, reasoning_tokens, toString(cost_usd) as cost, price_book, status, error, latency_ms,
       first_token_ms, conversation_id, trace_id
     from usage where org_id = {org:UUID} order by import_line`,
    { org: ctx.principal.org_id },
  );

const spendLogs = [
  {
    request_id: 'chatcmpl-1',
    call_type: 'acompletion',
    api_key: 'hash',
    spend: 1.25e-5,
    total_tokens: 1100,
    prompt_tokens: 1000,
    completion_tokens: 100,
    startTime: '2026-10-01T10:00:00.000Z',
    endTime: '2026-10-01T10:00:01.500Z',
    completionStartTime: '2026-10-01T10:00:00.250Z',
    model: 'gpt-4o-mini',
    custom_llm_provider: 'openai',
    user: 'key-owner',
    end_user: 'ana',
    metadata: {
      usage_object: {
        prompt_tokens_details: { cached_tokens: 400 },
        completion_tokens_details: { reasoning_tokens: 30 },
      },
    },
    request_tags: ['User-Agent: curl', 'search'],
    session_id: 's-1',
    status: 'success',
    messages: { content: 'a "quoted" [prompt] {with brackets}' },
  },
  {
    request_id: 'chatcmpl-2',
    call_type: 'acompletion',
    spend: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
    startTime: '2026-10-01T10:00:02.000Z',
    endTime: '2026-10-01T10:00:02.100Z',
    model: 'gpt-4o-mini',
    custom_llm_provider: 'openai',
    user: 'bob',
    metadata: { error_information: { error_class: 'RateLimitError' } },
    status: 'failure',
  },
  { request_id: 'img-1', call_type: 'aimage_generation', prompt_tokens: 0, completion_tokens: 0, status: 'success' },
];

const liteLlmRows = [
  {
    origin: 'litellm',
    request_id: 'chatcmpl-1',
    model: 'gpt-4o-mini',
    provider: 'openai',
    operation: 'chat',
    user_id: 'ana',
    feature: 'search',
    input_tokens: '1000',
    cached_input_tokens: '400',
    output_tokens: '100',
    reasoning_tokens: '30',
    cost: '0.0000125',
    price_book: 'given',
    status: 'ok',
    latency_ms: 1500,
    first_token_ms: 250,
    conversation_id: 's-1',
  },
  { request_id: 'chatcmpl-2', user_id: 'bob', status: 'error', error: 'RateLimitError', cost: '0' },
];

const observations = [
  {
    id: 'obs-1',
    trace_id: 'trace-1',
    type: 'GENERATION',
    start_time: '2026-10-01 10:00:00.000000',
    end_time: '2026-10-01 10:00:02.000000',
    completion_start_time: null,
    name: 'answer',
    trace_name: 'support',
    provided_model_name: 'gpt-4o-mini',
    usage_details: { input: 100, input_cached_tokens: 900, output: 40, output_reasoning_tokens: 10, total: 1050 },
    cost_details: {},
    total_cost: 0,
    user_id: 'ana',
    session_id: 's-2',
    level: 'DEFAULT',
    input: 'never "kept"\n',
  },
  { id: 'obs-2', trace_id: 'trace-1', type: 'SPAN', start_time: '2026-10-01 10:00:00.000000', usage_details: {} },
];
const langfuseRows = [
  {
    origin: 'langfuse',
    request_id: 'obs-1',
    feature: 'support',
    input_tokens: '1000',
    cached_input_tokens: '900',
    output_tokens: '50',
    reasoning_tokens: '10',
    latency_ms: 2000,
    first_token_ms: null,
    trace_id: 'trace-1',
    conversation_id: 's-2',
    status: 'ok',
  },
];

const csvCell = (value: unknown): string => {
  const text =
    value === null || value === undefined
      ? ''
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value as string);
  return `"${text.replaceAll('"', '""')}"`;
};
function csvOf(records: readonly Readonly<Record<string, unknown>>[]): string {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  return [names.join(','), ...records.map((record) => names.map((name) => csvCell(record[name])).join(','))].join('\n');
}

const layouts: readonly (readonly [string, (records: readonly Readonly<Record<string, unknown>>[]) => string])[] = [
  ['a list', (records) => JSON.stringify(records)],
  ['a list over many lines', (records) => JSON.stringify(records, null, 2)],
  ['JSON lines', (records) => records.map((record) => JSON.stringify(record)).join('\n')],
  [
    'pages of the API',
    (records) => records.map((record) => JSON.stringify({ data: [record], meta: { page: 1, of: [] } })).join('\n'),
  ],
  ['CSV', csvOf],
];

describe('importUsage of other systems’ exports', () => {
  it.each(layouts)('reads spend logs of LiteLLM as %s', async (_, layOut) => {
    const ctx = await newCtx();
    const result = await importFile(ctx, layOut(spendLogs), {}, 7);
    expect(result).toMatchObject({ format: 'litellm', accepted: 2, skipped: 1, rejected: 0 });
    expect(await stored(ctx)).toMatchObject(liteLlmRows);
  });

  it.each(layouts)('reads observations of Langfuse as %s, priced by us where it knows no price', async (_, layOut) => {
    const ctx = await newCtx();
    const result = await importFile(ctx, layOut(observations), {}, 7);
    expect(result).toMatchObject({ format: 'langfuse', accepted: 1, skipped: 1 });
    const [row] = await stored(ctx);
    expect(row).toMatchObject(langfuseRows[0] ?? {});
    // gpt-4o-mini: 100 × $0.15 + 900 × $0.075 + 50 × $0.60 a million.
    expect(row).toMatchObject({ cost: '0.0001125' });
  });

  it('reads plain files with the columns of the GenAI conventions, and says which format it found', async () => {
    const ctx = await newCtx();
    const file =
      'time,model,input_tokens,output_tokens,reasoning_tokens,batch,provider\n2026-10-01T00:00:00Z,gpt-4o-mini,10,5,2,true,openai\n';
    expect(await importFile(ctx, file)).toMatchObject({ format: 'csv', accepted: 1, skipped: 0 });
    expect(await stored(ctx)).toMatchObject([{ origin: '', reasoning_tokens: '2', provider: 'openai' }]);
  });

  it.each([
    ['no counts are no zero', [{ ...spendLogs[0], prompt_tokens: 0, completion_tokens: 0 }], 'LiteLLM knew no counts'],
    [
      'parts beyond the whole',
      [{ ...observations[0], usage_details: { input: 5, output: 2, cache_read_input_tokens: -1 } }],
      'negative',
    ],
    ['no counts at all', [{ ...observations[0], usage_details: {} }], 'neither input nor output'],
  ] as const)('names the line of what cannot be told: %s', async (_, records, message) => {
    const ctx = await newCtx();
    const file = `\n\n${JSON.stringify(records)}`;
    await expect(importFile(ctx, file)).rejects.toMatchObject({
      code: 'invalid_usage_file',
      detail: { errors: [{ line: 3, message: expect.stringContaining(message) as string }] },
    });
    expect((await usageTotals({ ctx, input: {} })).rows).toMatchObject([{ calls: 0 }]);
  });

  it.each([
    ['openai', { object: 'page', data: [{ object: 'bucket', results: [{ input_tokens: 5, num_model_requests: 2 }] }] }],
    ['anthropic', { data: [{ results: [{ uncached_input_tokens: 5, cache_read_input_tokens: 0 }] }] }],
  ])('takes no sums of %s for calls', async (format, page) => {
    await expect(importFile(await newCtx(), JSON.stringify(page))).rejects.toMatchObject({
      code: 'invalid_usage_file',
      detail: { format },
    });
  });
});

describe('importUsage of files that overlap', () => {
  // Planted bug that turns it red: calls told apart by file and line alone; no turns.
  it('keeps each call once, by its id, whatever the layout, also of two files at once and twice in one', async () => {
    const ctx = await newCtx();
    const callOf = (n: number) => ({
      ...spendLogs[0],
      request_id: `call-${n}-é\t猫`,
      startTime: new Date(Date.UTC(2026, 9, 1 + (n % 20), 10, 0, n % 60)).toISOString(),
      endTime: undefined,
      completionStartTime: undefined,
    });
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => callOf(from + n));
    const lines = (calls: readonly object[]): string => calls.map((call) => JSON.stringify(call)).join('\n');
    await importFile(ctx, lines(range(0, 400)));
    const again = await importFile(ctx, csvOf([...range(200, 500), callOf(499)]));
    expect(again).toMatchObject({ format: 'litellm', accepted: 100, duplicates: 201 });
    const both = await Promise.all(
      [lines(range(450, 900)), lines(range(500, 1000))].map((file) => importFile(ctx, file)),
    );
    expect(both.reduce((kept, { accepted }) => kept + accepted, 0)).toBe(500);
    const [row] = await ctx.platform.clickhouse.query<{ calls: string; ids: string }>(
      'select count() as calls, uniqExact(request_id) as ids from usage where org_id = {org:UUID}',
      { org: ctx.principal.org_id },
    );
    expect(row).toEqual({ calls: '1000', ids: '1000' });
  });
});

describe('importUsage of hostile files', () => {
  const head = JSON.stringify(spendLogs[0]);
  it.each([
    ['a record of 5 MB', `${head}\n{"request_id":"${'x'.repeat(5_000_000)}"}\n${head}`, 'is longer than 4194304 bytes'],
    ['brackets 1,000,000 deep', `${head}\n${'['.repeat(1_000_000)}`, 'is cut off'],
    ['a record that is cut off', `[${head},{"request_id":"a`, 'is cut off'],
    ['a list that is cut off', `[${head}`, 'the file ends before its list does'],
    ['no object', `[${head},{"a":1]]`, 'is not a JSON object'],
    ['a quote that never closes', `request_id,call_type,spend,startTime\n"${'a\n'.repeat(2_500_000)}`, 'opens a quote'],
  ])('names %s, in bounded time', async (_, content, message) => {
    const refused = importFile(await newCtx(), content, { format: 'litellm' });
    const detail = {
      errors: expect.arrayContaining([
        { line: expect.any(Number) as number, message: expect.stringContaining(message) as string },
      ]) as unknown,
    };
    await expect(refused).rejects.toMatchObject({ code: 'invalid_usage_file', detail });
  });

  it('keeps a cell that is a formula as the text it is', async () => {
    const ctx = await newCtx();
    const file = JSON.stringify([{ ...spendLogs[0], end_user: '=HYPERLINK("http://x")' }]);
    await importFile(ctx, file);
    expect(await stored(ctx)).toMatchObject([{ user_id: '=HYPERLINK("http://x")' }]);
  });
});
