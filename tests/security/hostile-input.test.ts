/**
 * Segment: operators on the open internet
 * Goal: no input takes the server down or comes back as code
 * Value: no incident, no disclosure
 * Strategic impact: a security review that ends early
 *
 * Hostile texts, placed by the seed in paths, queries, headers, bodies and frames. Each is refused by a 4xx or an error
 * frame, and the server serves on. Planted bugs that turn this red: echo the path in a problem's detail; parse a frame
 * outside the try; answer with the error's own message.
 */
import { connectSocket, createAccount, heavy, startServer, suite, type TestServer } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';

const { length, seed, random } = heavy();
const rounds = length === 'full' ? 1500 : 60;

const hostile = [
  '<script>alert(1)</script>',
  `'; drop table netra.org; --`,
  '../../../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  '${jndi:ldap://example.com/a}',
  '{{7*7}}',
  '\u0000',
  '%00',
  '%ff%fe',
  '\ud800',
  'A'.repeat(10_000),
  '[]',
  '{"__proto__":{"admin":true}}',
  '-1',
  '1e309',
  '%',
] as const;

const own = suite();
let server: TestServer;
let token: string;

beforeAll(async () => {
  server = await startServer({ env: own.env });
  own.onEnd(() => server.stop());
  ({ token } = await createAccount({ env: own.env, plan: 'enterprise' }));
}, 120_000);

function pick<T>(from: readonly T[]): T {
  const chosen = from[Math.floor(random() * from.length)];
  if (chosen === undefined) throw new Error('nothing to pick from');
  return chosen;
}

interface Attempt {
  readonly path: string;
  readonly init: RequestInit;
}

function attempt(text: string): Attempt {
  const safe = encodeURIComponent(text.toWellFormed());
  const auth = { authorization: `Bearer ${token}` };
  const json = { ...auth, 'content-type': 'application/json', 'idempotency-key': 'hostile' };
  return pick<Attempt>([
    { path: `/v1/runs/${safe}`, init: { headers: auth } },
    { path: `/v1/runs/${safe}/events?after=${safe}`, init: { headers: auth } },
    { path: `/v1/credits/transfers?cursor=${safe}&limit=${safe}`, init: { headers: auth } },
    { path: `/v1/usage?by=${safe}&from=${safe}`, init: { headers: auth } },
    { path: '/v1/me', init: { headers: { authorization: `Bearer ${safe}` } } },
    { path: '/v1/threads', init: { method: 'POST', headers: json, body: text } },
    {
      path: `/v1/threads/${safe}/runs`,
      init: { method: 'POST', headers: json, body: JSON.stringify({ agent: text }) },
    },
    {
      path: '/v1/auth/sign-in',
      init: { method: 'POST', headers: json, body: JSON.stringify({ email: text, password: text }) },
    },
    {
      path: `/v1/usage/import?format=csv&map=${safe}`,
      init: { method: 'POST', headers: { ...auth, 'content-type': 'text/csv' }, body: text },
    },
    { path: `/${safe}`, init: {} },
  ]);
}

describe('hostile input', () => {
  it(`over HTTP is refused, not echoed and not fatal: ${rounds} attempts, seed ${seed}`, async () => {
    for (let round = 0; round < rounds; round += 1) {
      const text = pick(hostile);
      const { path, init } = attempt(text);
      const answer = await fetch(`${server.url}${path}`, init);
      const body = await answer.text();
      const what = `${init.method ?? 'GET'} ${path.slice(0, 200)} with ${JSON.stringify(init.body ?? '')?.slice(0, 200)}`;
      expect(answer.status, `${what}: ${body.slice(0, 300)}`).toBeLessThan(500);
      // A stack, a statement or a path of ours would be a disclosure.
      expect(body, what).not.toMatch(/\bat .+\.(ts|js):\d+|node_modules|\bselect .+ from\b/);
      if (/[<{$]/.test(text)) expect(answer.headers.get('content-type') ?? '', what).not.toContain('text/html');
    }
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  }, 300_000);

  it(`over a socket is answered by an error or a close, and other sockets live on, seed ${seed}`, async () => {
    const witness = await connectSocket({ ws: server.ws, token });
    for (let round = 0; round < Math.ceil(rounds / 6); round += 1) {
      const socket = await connectSocket({ ws: server.ws, token });
      const text = pick(hostile);
      socket.sendRaw(
        pick([
          text,
          JSON.stringify({ type: text }),
          JSON.stringify({ type: 'run', id: text, agent: text, input: text, idempotency_key: text }),
          JSON.stringify({ type: 'subscribe', id: 1, run: text, after: text }),
          JSON.stringify({ type: 'token', token: text }),
        ]),
      );
      const refused = socket.waitFor('an error', (frame) => frame.type === 'error').then(() => 'refused');
      expect(await Promise.any([refused, socket.closed.then(() => 'closed')])).toMatch(/refused|closed/);
      await socket.close();
    }
    witness.send({ type: 'subscribe', id: 'still here', run: own.org_id, after: 0 });
    expect(await witness.waitFor('an answer', (frame) => frame.type === 'error')).toMatchObject({ code: 'not_found' });
    await witness.close();
  }, 300_000);
});
