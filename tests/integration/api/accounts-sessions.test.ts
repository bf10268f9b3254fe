/**
 * Segment: every customer.
 * Goal: people sign up, in and out, and stay signed in, on any node and in any number of tabs.
 * Value: an account that is half-made or locked out is a customer lost before the first run.
 * Strategic impact: who a token belongs to is what every other guarantee of isolation rests on.
 */
import { randomBytes } from 'node:crypto';
import { eventually, suite } from '@netra/testkit';
import { createLocalJWKSet, jwtVerify, SignJWT, generateKeyPair, decodeProtectedHeader } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Subscribe } from '../../../server/accounts/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { startAccountsNode, type AccountsNode } from './accounts-node.ts';

const password = 'correct horse battery staple';
const someone = (): string => `${randomBytes(6).toString('hex')}@example.com`;
const refused = { code: expect.any(String), status: 401 };

describe('sessions', () => {
  const home = suite();
  let node: AccountsNode;
  beforeAll(async () => {
    node = await startAccountsNode(home);
  });
  const signUp = (email: string, org: string, given = password) =>
    node.call('POST', '/v1/auth/sign-up', { body: { email, password: given, org } });

  // Planted bug: leave `subscribe` out of provision-org.ts.
  it('sign-up gives an owner, an organisation with its root row, and the sign-up plan', async () => {
    const email = someone();
    const { status, body } = await signUp(email, 'Acme');
    expect(status).toBe(201);
    const me = await node.call('GET', '/v1/me', { token: String(body['token']) });
    expect(me.body).toEqual({
      org: body['org'],
      org_name: 'Acme',
      user: body['user'],
      email,
      name: email,
      role: 'owner',
      kind: 'user',
      plan: 'free',
    });
  });

  // Planted bug: take the transaction out of register.ts, or the healing out of provision-org.ts.
  it('a crash at any step of sign-up leaves nothing that blocks the same sign-up again', async () => {
    const email = someone();
    let crashes = 0;
    const crashing: Subscribe = async (call) => {
      crashes += 1;
      if (crashes === 1) throw new Error('planted: the process dies here');
      return subscribe({ ctx: call.ctx, input: call.input });
    };
    const other = await startAccountsNode(home, { subscribe: crashing });
    const body = { email, password, org: 'Phoenix' };
    expect((await other.call('POST', '/v1/auth/sign-up', { body })).status).toBe(500);
    const again = await other.call('POST', '/v1/auth/sign-up', { body: { ...body, org: 'Phoenix II' } });
    expect(again.status).toBe(201);
    const me = await other.call('GET', '/v1/me', { token: String(again.body['token']) });
    expect(me.body).toMatchObject({ org_name: 'Phoenix II', plan: 'free', role: 'owner' });
    const third = await other.call('POST', '/v1/auth/sign-up', { body: { ...body, org: 'Phoenix II' } });
    expect(third.body).toMatchObject({ org: again.body['org'], user: again.body['user'] });
  });

  // Planted bug: answer a taken address without looking at the password.
  it('ten sign-ups of one address at once make one user and one organisation', async () => {
    const email = someone();
    const answers = await Promise.all(Array.from({ length: 10 }, () => signUp(email, 'Once')));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map(({ body }) => body['org'])).size).toBe(1);
    expect((await signUp(email, 'Once', 'not the right password')).status).toBe(409);
    expect((await signUp(email, 'Twice')).status).toBe(409);
  });

  // Planted bug: answer an unknown address with not_found.
  it('a wrong password and an unknown address are told apart by nothing', async () => {
    const email = someone();
    await signUp(email, 'Quiet');
    const tell = async (who: string) => {
      const answer = await node.call('POST', '/v1/auth/sign-in', {
        body: { email: who, password: 'wrong, surely wrong' },
      });
      const { trace_id, ...body } = answer.body;
      expect(trace_id).toBeDefined();
      return { status: answer.status, body };
    };
    const wrong = await tell(email);
    expect(wrong).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    expect(await tell(someone())).toEqual(wrong);
  });

  // Planted bug: rotate the refresh token at each use.
  it('two tabs that refresh the same session at once both go on; after sign-out neither does', async () => {
    const { body } = await signUp(someone(), 'Tabs');
    const refresh = () => node.call('POST', '/v1/auth/refresh', { body: { refresh_token: body['refresh_token'] } });
    for (const round of [1, 2]) {
      const tabs = await Promise.all([refresh(), refresh()]);
      expect(
        tabs.map(({ status }) => status),
        `round ${round}`,
      ).toEqual([200, 200]);
    }
    await node.call('POST', '/v1/auth/sign-out', { body: { refresh_token: body['refresh_token'] } });
    expect(await refresh()).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  });

  // Planted bug: skip limitAttempts in sign-in.ts.
  it('guessing a password stops at the limit, also with the right one, and other accounts go on', async () => {
    // A day: windows follow the clock, and a short one could end between two guesses.
    const limited = await startAccountsNode(home, { limits: { per_email: 5, window_ms: 24 * 3600 * 1000 } });
    const [email, other] = [someone(), someone()];
    const signIn = (who: string, given: string) =>
      limited.call('POST', '/v1/auth/sign-in', { body: { email: who, password: given } });
    await signUp(other, 'Other');
    const statuses = [];
    for (let guess = 0; guess < 6; guess += 1) statuses.push((await signIn(email, `guess number ${guess}`)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    const stopped = await signIn(email.toUpperCase(), password);
    expect(stopped).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(stopped.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect((await signIn(other, password)).status).toBe(200);
  });
});

describe('access tokens', () => {
  const home = suite();
  let node: AccountsNode;
  let token: string;
  beforeAll(async () => {
    node = await startAccountsNode(home);
    const body = { email: someone(), password, org: 'Tokens' };
    token = String((await node.call('POST', '/v1/auth/sign-up', { body })).body['token']);
  });
  const me = (given: string) => node.call('GET', '/v1/me', { token: given });

  // Planted bug: publish a key that is not the one tokens are signed with.
  it('anybody can check a token against the published keys, and no private half is among them', async () => {
    const { body } = await node.call('GET', '/v1/auth/jwks');
    expect(JSON.stringify(body)).not.toContain('"d"');
    const keys = createLocalJWKSet(body as unknown as Parameters<typeof createLocalJWKSet>[0]);
    const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer: 'netra', audience: 'netra' });
    expect(protectedHeader).toMatchObject({ alg: 'EdDSA', kid: expect.any(String) });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(900);
  });

  // Planted bug: store private_key as it is (`disablePrivateKeyEncryption`).
  it('private keys are encrypted at rest', async () => {
    const { rows } = await node.auth_pool.query<{ private_key: string }>('select private_key from auth.jwks');
    expect(rows.length).toBeGreaterThan(0);
    for (const { private_key } of rows) expect(private_key).not.toMatch(/"d"|kty/);
  });

  // Planted bugs: leave `algorithms` or `issuer` out of jwtVerify; read the key from the token's header.
  it('a forged, foreign, unsigned or altered token is unauthenticated, and the answer does not say why', async () => {
    const { kid } = decodeProtectedHeader(token);
    const [header = '', payload = '', signature = ''] = token.split('.');
    const mine = await generateKeyPair('EdDSA', { extractable: true });
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const forged = await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', kid: kid ?? '' }).sign(mine.privateKey);
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const secret = new TextEncoder().encode('x'.repeat(32));
    const symmetric = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: kid ?? '' }).sign(secret);
    const attempts = {
      forged,
      symmetric,
      unsigned: `${encode({ alg: 'none', kid })}.${payload}.`,
      altered: `${header}.${encode({ ...claims, org: home.org_id })}.${signature}`,
      unknown_kid: `${encode({ alg: 'EdDSA', kid: home.org_id })}.${payload}.${signature}`,
      no_kid: `${encode({ alg: 'EdDSA' })}.${payload}.${signature}`,
      garbage: 'x',
      api_key_shaped: `netra_sk_${'a'.repeat(48)}`,
    };
    const answers = new Set<string>();
    for (const attempt of Object.values(attempts)) {
      const { trace_id: _, ...problem } = (await me(attempt)).body;
      answers.add(JSON.stringify(problem));
    }
    expect(answers.size).toBe(1);
    expect(JSON.parse([...answers][0] ?? '')).toMatchObject({ ...refused, code: 'unauthenticated' });
    expect((await me(token)).status).toBe(200);
  });

  // Planted bug: pass no `currentDate`, or treat JWTExpired as any other error.
  it('an expired token says so, and only because its signature is ours', async () => {
    const input = { email: someone(), org: 'Brief', plan: 'free', ttl_s: 1 };
    const brief = await node.accounts.createUserByOperator({ trace_id: 'test', input });
    const answer = await eventually('the token expires', async () => {
      const now = await me(brief.token);
      return now.status === 401 && now;
    });
    expect(answer.body).toMatchObject({ code: 'token_expired' });
    expect((await me(`${brief.token.slice(0, -8)}AAAAAAAA`)).body).toMatchObject({ code: 'unauthenticated' });
  });

  // Planted bug: never reload keys in signing-keys.ts.
  it('a node accepts tokens of a key that another node has just made', async () => {
    const fresh = await startAccountsNode(home);
    await fresh.accounts.jwks();
    await node.auth_pool.query("update auth.jwks set expires_at = now() - interval '1 second'");
    const body = { email: someone(), password, org: 'Rotated' };
    const rotated = String((await node.call('POST', '/v1/auth/sign-up', { body })).body['token']);
    expect(decodeProtectedHeader(rotated).kid).not.toBe(decodeProtectedHeader(token).kid);
    expect((await fresh.call('GET', '/v1/me', { token: rotated })).status).toBe(200);
    expect((await fresh.call('GET', '/v1/me', { token })).status, 'the retired key still checks').toBe(200);
  });

  // Planted bug: let create-user-by-operator.ts make a second organisation for the same name.
  it('an operator who creates the same user twice gets the same user and a working token', async () => {
    const input = { email: someone(), org: 'Operated', plan: 'mid' };
    const first = await node.accounts.createUserByOperator({ trace_id: 'test', input });
    const second = await node.accounts.createUserByOperator({ trace_id: 'test', input });
    expect({ org: second.org, user: second.user }).toEqual({ org: first.org, user: first.user });
    expect((await me(second.token)).body).toMatchObject({ org: first.org, plan: 'mid', role: 'owner' });
    const elsewhere = node.accounts.createUserByOperator({ trace_id: 'test', input: { ...input, org: 'Other' } });
    await expect(elsewhere).rejects.toMatchObject({ code: 'conflict' });
  });
});
