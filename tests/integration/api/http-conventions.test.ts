/**
 * Segment: developers who build on the REST interface
 * Goal: one way to page, to fail, to repeat and to be limited, on every operation
 * Value: a client is written once; a retried request never does a thing twice
 * Strategic impact: an interface that others can generate clients for, and trust
 *
 * Planted bugs that turn this red: answer the driver's message of an unknown error; forget Allow; take the limiter out;
 * let any origin in; count probes; create a second thread for the same key; drop members that no schema names.
 */
import { createClient, type Client } from '@netra/client';
import { problem, type Problem } from '@netra/contract';
import { createAccount, startServer, suite, type TestServer } from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { beforeAll, expect, test } from 'vitest';

const own = suite();
const origin = 'https://console.example.com';
let server: TestServer;
let token: string;
let client: Client;

beforeAll(async () => {
  server = await startServer({ env: { ...own.env, NETRA_CORS_ORIGINS: origin } });
  own.onEnd(() => server.stop());
  ({ token } = await createAccount({ env: own.env, plan: 'mid' }));
  client = createClient({ url: server.url, token });
}, 120_000);

type Init = Omit<RequestInit, 'headers'> & { headers?: Record<string, string> };

function ask(path: string, { headers, ...init }: Init = {}, as: string | null = token): Promise<Response> {
  const authorization: Record<string, string> = as === null ? {} : { authorization: `Bearer ${as}` };
  return fetch(`${server.url}${path}`, { ...init, headers: { ...authorization, ...headers } });
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return ask(path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
}

async function problemOf(answer: Response): Promise<Problem> {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const body = problem.parse(await answer.json());
  expect(body.status).toBe(answer.status);
  expect(body.type).toBe(`urn:netra:error:${body.code}`);
  expect(answer.headers.get('netra-trace-id')).toBe(body.trace_id);
  return body;
}

test('a refusal is a problem document with a stable code, whatever was wrong', async () => {
  const key = { 'idempotency-key': randomUUID() };
  const cases: readonly (readonly [string, Response, number, string])[] = [
    ['no token', await ask('/v1/me', {}, null), 401, 'unauthenticated'],
    ['a bad token', await ask('/v1/me', {}, 'nonsense'), 401, 'unauthenticated'],
    ['no such path', await ask('/v1/nothing'), 404, 'not_found'],
    ['a wrong method', await ask('/v1/me', { method: 'DELETE' }), 405, 'method_not_allowed'],
    ['half a body', await post('/v1/threads', '{"title":', key), 400, 'invalid_request'],
    ['a wrong type', await post('/v1/threads', { title: 7 }, key), 400, 'invalid_request'],
    [
      'another media type',
      await post('/v1/threads', '<a/>', { ...key, 'content-type': 'text/xml' }),
      415,
      'unsupported_media_type',
    ],
    ['2 MB of JSON', await post('/v1/threads', { title: 'x'.repeat(2_000_000) }, key), 413, 'payload_too_large'],
    ['a page too large', await ask('/v1/credits/transfers?limit=201'), 400, 'invalid_request'],
    ['an id that is none', await ask('/v1/runs/1'), 400, 'invalid_request'],
    ["another's or nobody's run", await ask(`/v1/runs/${randomUUID()}`), 404, 'not_found'],
  ];
  for (const [what, answer, status, code] of cases) {
    expect({ what, status: answer.status, code: (await problemOf(answer)).code }).toEqual({ what, status, code });
  }
});

test('where no body is asked for, an empty one that is called JSON is none; where one is, it is missed', async () => {
  const empty = await post(`/v1/runs/${randomUUID()}/cancel`, '');
  expect((await problemOf(empty)).code).toBe('not_found');
  const missed = await post('/v1/threads', '', { 'idempotency-key': randomUUID() });
  expect((await problemOf(missed)).code).toBe('invalid_request');
});

test('a member that no schema names is refused by its name, in a body and in a query, and nothing is done', async () => {
  const misspelt = await problemOf(
    await ask('/v1/billing/profile', {
      method: 'PUT',
      body: JSON.stringify({
        name: 'Ada',
        address: '1 Row',
        country: 'IE',
        tax_id: 'IE6388047V',
        email: 'a@example.com',
      }),
      headers: { 'content-type': 'application/json' },
    }),
  );
  expect(misspelt).toMatchObject({ status: 400, fields: [{ in: 'body', path: '/tax_id' }] });
  expect(JSON.stringify(misspelt)).not.toContain('IE6388047V');
  const query = await problemOf(await ask('/v1/credits/transfers?limit=1&form=2026-01-01'));
  expect(query).toMatchObject({ status: 400, fields: [{ in: 'querystring', path: '/form' }] });
  const evil = await problemOf(await ask('/v1/credits/transfers?%3Cscript%3E=1'));
  expect(evil).toMatchObject({ status: 400, fields: [{ in: 'querystring', path: '/' }] });
});

test('a wrong method names the right ones, 401 names the scheme, a bad field is named and not repeated', async () => {
  const wrong = await ask('/v1/credits', { method: 'PUT' });
  expect(wrong.headers.get('allow')?.split(', ').toSorted()).toEqual(['GET', 'HEAD']);
  expect((await ask('/v1/me', {}, null)).headers.get('www-authenticate')).toBe('Bearer');
  const evil = '<script>alert(1)</script>';
  const refused = await post('/v1/threads', { title: { evil } }, { 'idempotency-key': 'k' });
  const text = await refused.text();
  expect(JSON.parse(text)).toMatchObject({ fields: [{ in: 'body', path: '/title' }] });
  expect(text).not.toContain('script');
});

test('bytes that are not HTTP, and paths that are not paths, get a 400 that repeats nothing', async () => {
  for (const path of ['/v1/%E0%A4%A', '/v1/%00', '/../../etc/passwd', '/v1/${jndi:ldap://x}']) {
    const answer = await ask(path);
    expect(answer.status, path).toBeGreaterThanOrEqual(400);
    expect(answer.status, path).toBeLessThan(500);
    expect(await answer.text()).not.toMatch(/jndi|passwd|%00/);
  }
  const { hostname, port } = new URL(server.url);
  const said = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write('NONSENSE evil\r\n\r\n'));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
  expect(said).toMatch(/^HTTP\/1\.1 400 /);
  expect(said).not.toContain('evil');
});

test('what creates needs an Idempotency-Key; the same one creates once; with another body it is a conflict', async () => {
  expect(await problemOf(await post('/v1/threads', { title: 'a' }))).toMatchObject({ header: 'Idempotency-Key' });
  for (const bad of ['', ' ', 'x'.repeat(256), 'ümlaut']) {
    const answer = await post(
      '/v1/threads',
      { title: 'a' },
      { 'idempotency-key': encodeURI(bad) === bad ? bad : 'a b' },
    );
    expect(answer.status).toBe(400);
  }
  const key = randomUUID();
  const bodies = await Promise.all(
    [key, key, `"${key}"`].map(async (name) => {
      const answer = await post('/v1/threads', { title: 'a' }, { 'idempotency-key': name });
      expect(answer.status).toBe(201);
      return (await answer.json()) as { thread: string };
    }),
  );
  expect(new Set(bodies.map(({ thread }) => thread)).size).toBe(1);
  const other = await problemOf(await post('/v1/threads', { title: 'b' }, { 'idempotency-key': key }));
  expect(other).toMatchObject({ status: 409, code: 'idempotency_key_reused' });
});

test('requests beyond the plan are 429 with Retry-After and the plan that lifts it; others and probes are not touched', async () => {
  const free = await createAccount({ env: own.env, plan: 'free' });
  const other = await createAccount({ env: own.env, plan: 'free' });
  const first = await ask('/v1/me', {}, free.token);
  expect(first.status).toBe(200);
  expect(first.headers.get('ratelimit-policy')).toBe('"plan";q=100;w=3600');
  expect(first.headers.get('ratelimit')).toMatch(/^"plan";r=99;t=\d+$/);
  const rest = await Promise.all(Array.from({ length: 109 }, () => ask('/v1/me', {}, free.token)));
  const refused = rest.filter(({ status }) => status === 429);
  expect(rest.filter(({ status }) => status === 200).length).toBe(99);
  expect(refused.length).toBe(10);
  const [one] = refused;
  if (!one) throw new Error('none was refused');
  expect(Number(one.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await problemOf(one)).toMatchObject({
    code: 'rate_limited',
    limit: 'requests_hour',
    max: '100',
    plan_that_lifts_it: 'early',
  });
  expect((await ask('/v1/me', {}, other.token)).status).toBe(200);
  for (const probe of ['/livez', '/readyz', '/startupz']) expect((await ask(probe, {}, free.token)).status).toBe(200);
});

test('an operator limited by address: a burst of strangers is refused, signed-in callers are not', async () => {
  const answer = await ask('/v1/plans', {}, null);
  expect(answer.headers.get('ratelimit-policy')).toMatch(/^"address";q=\d+;w=60$/);
  expect((await ask('/v1/me')).headers.get('ratelimit-policy')).toMatch(/^"plan";/);
});

test('a configured origin may call, with its preflight; another may not, and nothing is ever allowed to all', async () => {
  const preflight = (from: string): Promise<Response> =>
    ask('/v1/credits', { method: 'OPTIONS', headers: { origin: from, 'access-control-request-method': 'GET' } }, null);
  const allowed = await preflight(origin);
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe(origin);
  expect(allowed.headers.get('access-control-allow-headers')).toContain('Idempotency-Key');
  for (const from of ['https://evil.example', 'null', `${origin}.evil.example`]) {
    expect((await preflight(from)).headers.get('access-control-allow-origin')).toBeNull();
    expect((await ask('/v1/me', { headers: { origin: from } })).headers.get('access-control-allow-origin')).toBeNull();
  }
});

test('every answer carries the browser rules, and none says what we are made of', async () => {
  for (const answer of [await ask('/v1/me'), await ask('/nothing'), await ask('/livez'), await ask('/v1/%E0%A4%A')]) {
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('x-frame-options')).toBe('DENY');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(answer.headers.get('server')).toBeNull();
    expect(answer.headers.get('x-powered-by')).toBeNull();
  }
});

test('a trace id is kept when the caller has one, and made when not or when it is not valid', async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const asked = async (traceparent: string): Promise<string | null> =>
    (await ask('/v1/me', { headers: { traceparent } })).headers.get('netra-trace-id');
  expect(await asked(`00-${trace}-b7ad6b7169203331-01`)).toBe(trace);
  for (const bad of ['', 'x', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `00-${trace}`]) {
    const made = await asked(bad);
    expect(made).toMatch(/^[\da-f]{32}$/);
    expect(made).not.toBe(trace);
  }
});

test('pages follow each other by cursor: nothing twice, nothing left out', async () => {
  for (let index = 0; index < 4; index += 1) {
    await (await client.run({ agent: 'rehearsal', input: { steps: 1 } })).finished();
  }
  const all = await client.transfers({ limit: 200 });
  expect(all.items.length).toBeGreaterThanOrEqual(5);
  const paged: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.transfers({ limit: 2, ...(cursor === undefined ? {} : { cursor }) });
    expect(page.items.length).toBeLessThanOrEqual(2);
    paged.push(...page.items.map(({ transfer }) => transfer));
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  expect(paged).toEqual(all.items.map(({ transfer }) => transfer));
  const forged = await ask('/v1/credits/transfers?cursor=nonsense');
  expect((await problemOf(forged)).code).toBe('invalid_request');
  client.close();
});
