import { suite } from '@netra/testkit';
import { decodeJwt } from 'jose';
import type { Pool } from 'pg';
import { beforeAll, expect, it } from 'vitest';
import { subscribe } from '../plans/index.ts';
import {
  deriveLoginUrl,
  loadConfig,
  loginRoles,
  openPlatform,
  openPostgres,
  setLogin,
  type Platform,
} from '../platform/index.ts';
import { createAccounts, type Accounts } from './create-accounts.ts';
import { openAuth, type Auth } from './open-auth.ts';

const home = suite();
const secret = 'only for tests: 32 bytes and then some more';
let platform: Platform;
let accounts: Accounts;
let auth: Auth;
let auth_pool: Pool;
let token: string;
/** Times a connection was taken from the pool: one for each query. */
let queries = 0;

beforeAll(async () => {
  const url = home.stores.postgres_url;
  for (const role of loginRoles) await setLogin(url, role);
  const config = loadConfig({ env: { ...home.env, NETRA_SECRET: secret, NETRA_LOG_LEVEL: 'error' } });
  const opened = await openPlatform({ config, urls: home.stores, role: 'app' });
  const auth_postgres = openPostgres(deriveLoginUrl(url, 'netra_auth'), { pool_size: 2, log: opened.log });
  auth_pool = auth_postgres.pool;
  auth_pool.on('acquire', () => (queries += 1));
  home.onEnd(async () => {
    await Promise.all([auth_postgres.close(), opened.close()]);
  });
  platform = opened;
  const common = { secret, public_url: 'http://localhost', origins: [] };
  accounts = createAccounts({ ...common, platform, auth_pool, signup_plan: 'free', subscribe });
  auth = openAuth({ ...common, pool: auth_pool, ids: platform.ids, log: platform.log });
  const input = { email: 'signed@example.com', org: 'Signed', plan: 'free' };
  ({ token } = await accounts.createUserByOperator({ trace_id: 'test', input }));
});

/** Signs as the server does, with the same key: only what the claims say is the test's. */
async function sign(claims: Readonly<Record<string, unknown>>): Promise<string> {
  return (await auth.api.signJWT({ body: { payload: { ...claims } } })).token;
}

// Planted bug: leave `issuer`, `audience` or `requiredClaims` out of authenticate.ts, or read claims without a schema.
it('a token that our own key signed for something else is no access token', async () => {
  const claims = decodeJwt(token);
  const { org: _, ...without } = claims;
  const strangers = [
    { ...claims, aud: 'elsewhere' },
    { ...claims, iss: 'elsewhere' },
    { ...claims, role: 'operator' },
    { ...claims, sub: 'not-a-uuid' },
    without,
  ];
  for (const stranger of strangers) {
    const refused = accounts.authenticate(platform, await sign(stranger));
    await expect(refused, JSON.stringify(stranger)).rejects.toMatchObject({ code: 'unauthenticated' });
  }
  const { sub: user_id, org: org_id } = claims;
  expect(await accounts.authenticate(platform, await sign(claims))).toMatchObject({ org_id, user_id, role: 'owner' });
});

// Planted bug: read the keys from the table for each token.
it('checking a token asks no store once the keys are there', async () => {
  await accounts.authenticate(platform, token);
  const before = queries;
  for (let check = 0; check < 200; check += 1) await accounts.authenticate(platform, token);
  expect(queries).toBe(before);
});

// Planted bug: reload for every unknown kid.
it('tokens with unknown kids, however many, cost one query a second', async () => {
  const [, payload, signature] = token.split('.');
  const before = queries;
  const forged = Array.from({ length: 500 }, () => {
    const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid: platform.ids.uuid() })).toString('base64url');
    return accounts.authenticate(platform, `${header}.${payload}.${signature}`).catch((error: unknown) => error);
  });
  for (const answer of await Promise.all(forged)) expect(answer).toMatchObject({ code: 'unauthenticated' });
  expect(queries - before).toBeLessThanOrEqual(2);
});

// Planted bug: make a new key when the one there cannot be decrypted.
it('a node with another NETRA_SECRET says so, and makes no key of its own', async () => {
  const options = { public_url: 'http://localhost', origins: [], signup_plan: 'free', subscribe };
  const stranger = createAccounts({ ...options, platform, auth_pool, secret: `${secret}, but another` });
  const input = { email: 'signed@example.com', org: 'Signed', plan: 'free' };
  const refused = stranger.createUserByOperator({ trace_id: 'test', input });
  await expect(refused).rejects.toMatchObject({ code: 'config_invalid' });
  expect((await accounts.jwks()).keys).toHaveLength(1);
  const { rows } = await auth_pool.query('select id from auth.jwks');
  expect(rows).toHaveLength(1);
});
