/**
 * Segment: owners who answer for a bill, and the developers who call us for them.
 * Goal: what may be spent is read, set and quoted over HTTP as the documents say, by those who may, and for their own
 * organisation alone.
 * Value: a cap that is set holds from the next movement on, and nobody else can lift it.
 * Strategic impact: a bound that the customer sets themselves is why finance lets an agent loose.
 */
import { randomUUID } from 'node:crypto';
import { createAccount, startServer, suite, withOwner, type TestAccount, type TestServer } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';

const on = suite();
const none = { overage_micro: null, total_micro: null, member_micro: null };
let server: TestServer;
let owner: TestAccount;
let stranger: TestAccount;
const token = { admin: '', member: '', viewer: '' };

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function call(as: string | null, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      ...(as === null ? {} : { authorization: `Bearer ${as}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      'idempotency-key': randomUUID(),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

async function join(role: keyof typeof token): Promise<string> {
  const email = `${randomUUID()}@example.com`;
  const { body } = await call(owner.token, 'POST', '/v1/invitations', { email, role });
  const password = 'correct horse battery staple';
  const joined = await call(null, 'POST', '/v1/auth/accept-invitation', {
    invitation: body['invitation'],
    email,
    password,
  });
  return String(joined.body['token']);
}

const rows = <Row extends object>(text: string, org: string): Promise<Row[]> =>
  withOwner(on.stores.postgres_url, async (client) => (await client.query<Row>(text, [org])).rows);

beforeAll(async () => {
  server = await startServer({ env: on.env });
  on.onEnd(() => server.stop());
  const make = (): Promise<TestAccount> => createAccount({ env: on.env, plan: 'mid' });
  [owner, stranger] = await Promise.all([make(), make()]);
  for (const role of ['admin', 'member', 'viewer'] as const) token[role] = await join(role);
}, 120_000);

describe('GET /v1/spending and PUT /v1/spending/caps', () => {
  // Planted bug that turns it red: setSpending() without its look at the role.
  it('lets owners and admins set caps; members and viewers read them; nobody else does either', async () => {
    const caps = { ...none, total_micro: '900000000' };
    for (const role of ['member', 'viewer'] as const) {
      const refused = await call(token[role], 'PUT', '/v1/spending/caps', caps);
      expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    const requests = [
      ['GET', '/v1/spending', undefined],
      ['PUT', '/v1/spending/caps', caps],
      ['POST', '/v1/quotes', { agent: 'triage' }],
    ] as const;
    for (const [method, path, body] of requests) {
      expect(await call(null, method, path, body)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    }
    expect(await call(token.viewer, 'GET', '/v1/spending')).toMatchObject({
      status: 200,
      body: { caps: { ...none, set_by: null, set_at: null }, total_used_micro: null, member_used_micro: null },
    });
    const set = await call(token.admin, 'PUT', '/v1/spending/caps', caps);
    expect(set).toMatchObject({
      status: 200,
      body: {
        caps: { ...caps, set_by: expect.any(String), set_at: expect.any(String) },
        overage: 'cap',
        overage_usd_credit: '0.025000',
        overage_used_micro: '0',
        total_used_micro: '0',
        member_used_micro: '0',
      },
    });
    expect((await call(token.viewer, 'GET', '/v1/spending')).body).toEqual(set.body);
  });

  // Planted bug that turns it red: netra.spending_cap_of() without its organisation, where no row-level security says it
  // again.
  it('sets the caps of the caller’s organisation alone', async () => {
    await call(owner.token, 'PUT', '/v1/spending/caps', { ...none, total_micro: '1', member_micro: '1' });
    expect(await call(stranger.token, 'GET', '/v1/spending')).toMatchObject({
      body: { caps: none, total_used_micro: null },
    });
    const quote = { agent: 'rehearsal' };
    expect(await call(stranger.token, 'POST', '/v1/quotes', quote)).toMatchObject({ body: { can_start: true } });
    expect(await call(owner.token, 'POST', '/v1/quotes', quote)).toMatchObject({ body: { can_start: false } });
    await call(owner.token, 'PUT', '/v1/spending/caps', none);
  });

  it('takes whole amounts as strings and null, and nothing else; a bad one changes nothing', async () => {
    const before = await call(owner.token, 'GET', '/v1/spending');
    const bad = [1, -1, '-1', '1.5', '1e9', ' 1', '', '0x10', '9'.repeat(19), true, [], {}, 'null'];
    const bodies: unknown[] = bad.map((total_micro) => ({ ...none, total_micro }));
    bodies.push({}, { total_micro: '1' }, [], null, '{', '"1"', { ...none, total_micro: undefined });
    for (const body of bodies) {
      const refused = await call(owner.token, 'PUT', '/v1/spending/caps', body);
      expect(refused, JSON.stringify(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
    expect(await call(owner.token, 'GET', '/v1/spending')).toEqual(before);
  });

  // Planted bug that turns it red: set_spending_caps() without the lock on the wallets.
  it('keeps each of the changes that are made at once, one after the other', async () => {
    const { org } = stranger;
    const caps = Array.from({ length: 16 }, (_, place) => ({ ...none, total_micro: `${1_000_000_000 + place}` }));
    const answers = await Promise.all(caps.map((each) => call(stranger.token, 'PUT', '/v1/spending/caps', each)));
    expect(answers.map(({ status }) => status)).toEqual(caps.map(() => 200));
    const kept = await rows<{ version: number; total: string }>(
      'select version, total_micro::text as total from netra.spending_cap where org_id = $1 order by version',
      org,
    );
    expect(kept.map(({ version }) => version)).toEqual(caps.map((_, place) => place + 1));
    expect(kept.map(({ total }) => total).toSorted()).toEqual(caps.map(({ total_micro }) => total_micro));
    expect(await call(stranger.token, 'GET', '/v1/spending')).toMatchObject({
      body: { caps: { total_micro: kept.at(-1)?.total } },
    });
    await call(stranger.token, 'PUT', '/v1/spending/caps', none);
  });
});

describe('POST /v1/quotes', () => {
  it('tells anybody in the organisation what a run would cost, and holds nothing', async () => {
    const answers = await Promise.all(
      [owner.token, token.member, token.viewer].map((as) => call(as, 'POST', '/v1/quotes', { agent: 'triage' })),
    );
    for (const answer of answers) {
      expect(answer).toMatchObject({
        status: 200,
        body: {
          agent: 'triage',
          fee_micro: '10000000',
          highest_micro: expect.stringMatching(/^\d+$/),
          balance_micro: '5000000000',
          can_start: true,
        },
      });
    }
    expect(await rows('select from netra.hold where org_id = $1', owner.org)).toEqual([]);
  });

  it('refuses as the run would be: an agent that is not there, not in the plan, or dearer than its cap', async () => {
    const refused = async (body: unknown): Promise<Answer> => call(owner.token, 'POST', '/v1/quotes', body);
    expect(await refused({ agent: 'research' })).toMatchObject({
      status: 403,
      body: { code: 'agent_not_in_plan', limit: 'agents', used: 'research', plan_that_lifts_it: 'enterprise' },
    });
    expect(await refused({ agent: 'triage', max_credits_micro: '9999999' })).toMatchObject({
      status: 402,
      body: {
        code: 'budget_reached',
        limit: 'max_credits',
        used: '10000000',
        max: '9999999',
        plan_that_lifts_it: null,
      },
    });
    expect(await refused({ agent: 'rehearsal', input: { steps: -1 } })).toMatchObject({ status: 400 });
    const bad = [{}, { agent: '' }, { agent: 7 }, { agent: 'a'.repeat(65) }, [], '{'];
    const caps = [1, '-1', '1.5', '', null].map((max_credits_micro) => ({ agent: 'triage', max_credits_micro }));
    for (const body of [...bad, ...caps]) {
      expect(await refused(body), JSON.stringify(body)).toMatchObject({
        status: 400,
        body: { code: 'invalid_request' },
      });
    }
  });
});
