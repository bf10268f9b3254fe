/**
 * Segment: teams whose services already speak OpenTelemetry.
 * Goal: model calls arrive while they happen, from the exporters that are there, by one environment variable.
 * Value: no file to fetch and no job to run; today's spending shows today.
 * Strategic impact: who can send to any collector can send to us.
 *
 * Planted bug that turns it red: a random event id (a request that is sent again doubles); an agent's span counted
 * beside the calls inside it; a bad span that refuses its whole request.
 */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import { SpanKind, SpanStatusCode, type Attributes } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { createAccount, eventually, startServer, suite, type TestAccount, type TestServer } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { openAnalytics, type AnalyticsNode } from '../analytics-node.ts';

const on = suite();
let server: TestServer;
let node: AnalyticsNode;
let refused: TestAccount;
beforeAll(async () => {
  server = await startServer({ env: on.env });
  on.onEnd(() => server.stop());
  refused = await newAccount();
  node = await openAnalytics(on);
});

const newAccount = (): Promise<TestAccount> => createAccount({ env: on.env, plan: 'mid' });
const rowsOf = ({ org }: TestAccount) =>
  node.platform.clickhouse.query<Record<string, unknown>>(
    `select origin, source, model, provider, operation, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
       toString(cost_usd) as cost, status, error, latency_ms, trace_id, span_id, agent, conversation_id, finish_reason, user_id
     from usage where org_id = {org:UUID} order by at, span_id`,
    { org },
  );

const start_ms = Date.UTC(2026, 9, 1, 10);
const chat: Attributes = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-4o-mini',
  'gen_ai.response.model': 'gpt-4o-mini-2024-07-18',
  'gen_ai.usage.input_tokens': 1000,
  'gen_ai.usage.cache_read.input_tokens': 400,
  'gen_ai.usage.output_tokens': 100,
  'gen_ai.usage.reasoning.output_tokens': 20,
  'gen_ai.response.finish_reasons': ['stop'],
  'gen_ai.conversation.id': 'c-1',
  'enduser.id': 'ana',
};
const before: Attributes = {
  'gen_ai.system': 'openai',
  'gen_ai.request.model': 'gpt-4o-mini',
  'gen_ai.usage.prompt_tokens': 10,
  'gen_ai.usage.completion_tokens': 5,
};
const failed: Attributes = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.request.model': 'gpt-4o-mini',
  'error.type': '429',
};
const agent: Attributes = { ...chat, 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'helper' };

type Exporter = typeof JsonExporter | typeof ProtobufExporter;

/** As an application does it: spans through the SDK, in batches, to the endpoint. */
async function send(
  Exporter: Exporter,
  { token }: TestAccount,
  some: readonly Attributes[],
  gzip: boolean,
): Promise<void> {
  const exporter = new Exporter({
    url: `${server.url}/v1/otlp/v1/traces`,
    headers: { Authorization: `Bearer ${token}` },
    ...(gzip ? { compression: 'gzip' as never } : {}),
  });
  const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter } as never)] } as never);
  const tracer = provider.getTracer('test');
  some.forEach((attributes, at) => {
    const span = tracer.startSpan('chat', { kind: SpanKind.CLIENT, attributes, startTime: start_ms + at });
    if ('error.type' in attributes) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(start_ms + at + 1500);
  });
  await provider.forceFlush();
  await provider.shutdown();
}

describe('POST /v1/otlp/v1/traces from the OpenTelemetry SDK', () => {
  it.each([
    ['JSON', JsonExporter, false],
    ['protobuf', ProtobufExporter, false],
    ['protobuf in gzip', ProtobufExporter, true],
  ] as const)('keeps model calls sent as %s, and no other span', async (_, Exporter, gzip) => {
    const account = await newAccount();
    await send(Exporter, account, [chat, before, failed, agent, { 'http.route': '/' }], gzip);
    await eventually('the calls are stored', async () => expect(await rowsOf(account)).toHaveLength(3));
    expect(await rowsOf(account)).toMatchObject([
      {
        origin: 'otlp',
        source: 'import',
        model: 'gpt-4o-mini',
        provider: 'openai',
        operation: 'chat',
        input_tokens: '1000',
        cached_input_tokens: '400',
        output_tokens: '100',
        reasoning_tokens: '20',
        // 600 × $0.15 + 400 × $0.075 + 100 × $0.60 a million.
        cost: '0.00018',
        status: 'ok',
        latency_ms: 1500,
        conversation_id: 'c-1',
        finish_reason: 'stop',
        user_id: 'ana',
      },
      { input_tokens: '10', output_tokens: '5', provider: 'openai' },
      { status: 'error', error: '429', input_tokens: '0', cost: '0' },
    ]);
  });
});

const ids = { traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174' };
const numbers = (attributes: Readonly<Record<string, string | number>>) =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
const spanOf = (more: object = {}, attributes: Readonly<Record<string, string | number>> = {}) => ({
  ...ids,
  name: 'chat',
  startTimeUnixNano: '1790848800123456789',
  endTimeUnixNano: '1790848801000000000',
  attributes: numbers({
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'gpt-4o-mini',
    'gen_ai.usage.input_tokens': 7,
    'gen_ai.usage.output_tokens': 3,
    ...attributes,
  }),
  ...more,
});
const requestOf = (...spans: readonly object[]): string =>
  JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

async function post(token: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const answer = await fetch(`${server.url}/v1/otlp/v1/traces`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...headers },
    body,
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

describe('POST /v1/otlp/v1/traces', () => {
  it('keeps a span once, however often and by whichever encoding it is sent', async () => {
    const [account, other] = [await newAccount(), await newAccount()];
    const both = requestOf(spanOf(), spanOf());
    const answers = await Promise.all([1, 2, 3, 4].map(() => post(account.token, both)));
    expect(answers.map(({ status, body }) => [status, body])).toEqual(answers.map(() => [200, {}]));
    const packed = await post(account.token, new Uint8Array(gzipSync(requestOf(spanOf()))), {
      'Content-Encoding': 'gzip',
    });
    expect(packed.status).toBe(200);
    await eventually('the calls are stored', async () => expect(await rowsOf(account)).toHaveLength(1));
    await post(account.token, both);
    // A call that comes after it has arrived: had the repeat been kept, it would be there too.
    await post(account.token, requestOf(spanOf({ spanId: 'eee19b7ec3c1b175' })));
    await eventually('the calls are stored', async () =>
      expect((await rowsOf(account)).map((row) => row['span_id'])).toContain('eee19b7ec3c1b175'),
    );
    expect(await rowsOf(account)).toHaveLength(2);
    expect(await rowsOf(other)).toEqual([]);
  });

  it('tells which spans it rejects, and keeps the others', async () => {
    const account = await newAccount();
    const answer = await post(
      account.token,
      requestOf(
        spanOf({ traceId: '0'.repeat(32) }),
        spanOf({ spanId: 'aaaaaaaaaaaaaaa1' }, { 'gen_ai.usage.cache_read.input_tokens': 8 }),
        spanOf({ spanId: 'aaaaaaaaaaaaaaa2' }, { 'gen_ai.request.model': 'no-such-model' }),
        spanOf(),
      ),
    );
    expect(answer).toMatchObject({
      status: 200,
      body: { partialSuccess: { rejectedSpans: '3', errorMessage: expect.stringContaining('trace id') as string } },
    });
    await eventually('the calls are stored', async () => expect(await rowsOf(account)).toHaveLength(1));
  });

  it.each([
    [{}, '{"resourceSpans":', 400],
    [{}, '{"resourceSpans":[{"scopeSpans":7}]}', 400],
    [{ 'Content-Type': 'application/x-protobuf' }, '\u00ff\u00ff\u00ff\u00ff', 400],
    [{ 'Content-Type': 'text/plain' }, 'x', 415],
    [{ 'Content-Encoding': 'br' }, 'x', 415],
    [{ 'Content-Encoding': 'gzip' }, 'x', 400],
    [{ 'Content-Encoding': 'gzip' }, new Uint8Array(gzipSync(Buffer.alloc(64 * 1024 * 1024))), 413],
    [{ Authorization: '' }, '{}', 401],
  ])('refuses %j for good, by its own status', async (headers, body, status) => {
    expect((await post(refused.token, body, headers as unknown as Record<string, string>)).status).toBe(status);
  });

  // The answer comes before the body, and ends the connection: who sends on may not get to read it. This one waits.
  it('refuses a body that is too large by what its head says', async () => {
    const request = httpRequest(`${server.url}/v1/otlp/v1/traces`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${refused.token}`,
        'content-type': 'application/json',
        'content-length': 9 * 1024 * 1024,
      },
    });
    request.flushHeaders();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(413);
    request.on('error', () => undefined).destroy();
  });
});
