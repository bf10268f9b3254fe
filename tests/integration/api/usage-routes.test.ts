import { randomUUID } from 'node:crypto';
import { createClient } from '@netra/client';
import { createAccount, startServer, suite, type TestAccount, type TestServer } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';

const on = suite();
let server: TestServer;
let account: TestAccount;
beforeAll(async () => {
  server = await startServer({ env: on.env });
  on.onEnd(() => server.stop());
  account = await createAccount({ env: on.env, plan: 'mid' });
});

const header = 'when,in,output_tokens\n';
const map = 'time=when,input_tokens=in';

async function upload(
  content: string,
  query: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const params = new URLSearchParams({ format: 'csv', map, model: 'gpt-4o', ...query });
  const answer = await fetch(`${server.url}/v1/usage/import?${params.toString()}`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${account.token}`,
      'Content-Type': 'text/csv',
      'Idempotency-Key': randomUUID(),
      ...headers,
    },
    body: content,
  });
  return { status: answer.status, body: await answer.json() };
}

async function readUsage(query: string): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${server.url}/v1/usage${query}`, {
    headers: { Authorization: `Bearer ${account.token}` },
  });
  return { status: answer.status, body: await answer.json() };
}

describe('POST /v1/usage/import and GET /v1/usage', () => {
  it('keeps a file and answers with it by total, day, model, user and feature, each with its query', async () => {
    const file = `${header}2026-10-01T10:00:00Z,1000,100\n2026-10-02T10:00:00Z,2000,200`;
    expect(await upload(file, { user: 'ana' }, { 'Idempotency-Key': 'once' })).toEqual({
      status: 200,
      body: {
        format: 'csv',
        skipped: 0,
        accepted: 2,
        rejected: 0,
        duplicates: 0,
        errors: [],
        totals: {
          calls: '2',
          input_tokens: '3000',
          cached_input_tokens: '0',
          output_tokens: '300',
          cost_usd: '0.0105',
        },
      },
    });
    expect(await upload(file, { user: 'ana' }, { 'Idempotency-Key': 'once' })).toMatchObject({
      body: { accepted: 0, duplicates: 2 },
    });
    expect(await readUsage('')).toMatchObject({
      status: 200,
      body: {
        query: { name: 'usage_totals', params: { org: account.org } },
        rows: [{ calls: 2, input_tokens: '3000', cost_usd: '0.0105' }],
      },
    });
    expect(await readUsage('?by=day&from=2026-10-02T00:00:00Z')).toMatchObject({
      body: { rows: [{ day: '2026-10-02', calls: 1 }] },
    });
    expect(await readUsage('?by=user')).toMatchObject({ body: { rows: [{ user_id: 'ana', calls: 2 }] } });
    expect(await readUsage('?by=model')).toMatchObject({
      body: { rows: [{ model: 'gpt-4o' }], rest: null, next: null },
    });
    const first = await readUsage('?by=day,user&limit=1&user=ana&user=bo&quantiles=cost');
    expect(first).toMatchObject({
      body: { rows: [{ day: '2026-10-01', user_id: 'ana', calls: 1 }], rest: { calls: 1, input_tokens: '2000' } },
    });
    const { next } = first.body as { next: string };
    expect(await readUsage(`?by=day,user&limit=1&user=ana&user=bo&quantiles=cost&cursor=${next}`)).toMatchObject({
      body: { rows: [{ day: '2026-10-02', calls: 1 }], rest: null, next: null },
    });
    const client = createClient({ url: server.url, token: account.token });
    expect((await client.usage({ by: 'feature,model', user: ['ana'], order: 'calls' })).rows).toMatchObject([
      { calls: 2 },
    ]);
    client.close();
    expect(await readUsage('?by=coverage')).toMatchObject({ body: { rows: [{ rows: 2, synthetic: 0 }] } });
  });

  it.each([
    ['by=colour', 'by'],
    ['by=day,day', 'by'],
    ['by=day,user,model,agent', 'by'],
    ['from=yesterday', 'from'],
    ['to=2026', 'to'],
    ['limit=1001', 'limit'],
    ['order=size', 'order'],
    ['quantiles=p50', 'quantiles'],
    ['cursor=e30', 'cursor'],
    ['source=elsewhere', 'source'],
    ['colour=red', 'colour'],
    ['by=coverage&user=ana', 'user'],
    [`model=${'x'.repeat(513)}`, 'model'],
  ])('refuses %s, and names %s', async (query, name) => {
    const { status, body } = await readUsage(`?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'invalid_request' });
    const { detail, fields = [] } = body as { detail: string; fields?: unknown };
    expect(JSON.stringify([detail, fields])).toContain(name);
  });

  // Planted bug that turns it red: answering 200 with the errors in the body.
  it.each([
    [`${header}2026-10-01T10:00:00Z,-1,1\n`, {}, {}, 422, { code: 'invalid_usage_file', rejected: 1 }],
    ['a,b\n1,2\n', {}, {}, 422, { code: 'invalid_usage_file', present: ['a', 'b'] }],
    [`${header}2026-10-01T10:00:00Z,1,1\n`, { model: 'gpt-4o-minni' }, {}, 400, { code: 'invalid_request' }],
    [`${header}2026-10-01T10:00:00Z,1,1\n`, { map: 'tme=when' }, {}, 400, { code: 'invalid_request' }],
    [`${header}2026-10-01T10:00:00Z,1,1\n`, {}, { 'Idempotency-Key': 'once' }, 409, { code: 'idempotency_key_reused' }],
    [`${header}2026-10-01T10:00:00Z,1,1\n`, {}, { 'Idempotency-Key': '' }, 400, { code: 'invalid_request' }],
    ['{}', {}, { 'Content-Type': 'application/json' }, 415, { code: 'unsupported_media_type' }],
    ['{}', {}, { Authorization: '' }, 401, { code: 'unauthenticated' }],
  ] as const)('refuses %j %j %j with %d', async (content, query, headers, status, problem) => {
    const answer = await upload(content, query, headers);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject(problem);
  });

  it('keeps the good rows of a file with skip_bad', async () => {
    const file = `${header}2026-11-01T10:00:00Z,-1,1\n2026-11-01T10:00:00Z,1,1\n`;
    expect(await upload(file, { skip_bad: 'true' })).toMatchObject({
      status: 200,
      body: { accepted: 1, rejected: 1, errors: [{ line: 2, message: 'input_tokens is negative: "-1"' }] },
    });
  });
});
