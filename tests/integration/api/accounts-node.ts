import type { Suite } from '@netra/testkit';
import type { Pool } from 'pg';
import { createAccounts, type Accounts, type AttemptLimits, type Subscribe } from '../../../server/accounts/index.ts';
import { createHttp } from '../../../server/http/index.ts';
import { routes } from '../../../server/http/routes/index.ts';
import { checkRequestRate, subscribe } from '../../../server/plans/index.ts';
import {
  deriveLoginUrl,
  loadConfig,
  loginRoles,
  openPlatform,
  openPostgres,
  setLogin,
  type Platform,
} from '../../../server/platform/index.ts';

/** One node that serves accounts over HTTP, wired as main.ts wires it: real logins, real stores, a real port. */
export interface AccountsNode {
  readonly platform: Platform;
  readonly accounts: Accounts;
  readonly url: string;
  /** As netra_auth. */
  readonly auth_pool: Pool;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  readonly token?: string;
  readonly body?: unknown;
  readonly key?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // What a JSON body is; the tests look into it by name.
  readonly body: Record<string, never> & { readonly [name: string]: unknown };
}

export interface NodeOptions {
  readonly limits?: Partial<AttemptLimits>;
  readonly subscribe?: Subscribe;
}

const secret = 'only for tests: 32 bytes and then some more';

/** Starts a node on the suite's stores; it stops with the suite. */
export async function startAccountsNode(on: Suite, options: NodeOptions = {}): Promise<AccountsNode> {
  for (const role of loginRoles) await setLogin(on.stores.postgres_url, role);
  const config = loadConfig({ env: { ...on.env, NETRA_SECRET: secret, NETRA_LOG_LEVEL: 'error' } });
  const platform = await openPlatform({ config, urls: on.stores, role: 'app' });
  const auth_url = deriveLoginUrl(on.stores.postgres_url, 'netra_auth');
  const auth_postgres = openPostgres(auth_url, { pool_size: 5, log: platform.log });
  const auth_pool = auth_postgres.pool;
  const accounts = createAccounts({
    platform,
    auth_pool,
    secret,
    public_url: 'http://127.0.0.1:4100',
    origins: [],
    signup_plan: 'free',
    subscribe,
    // The suite signs up many users from one address; what the limits do has a test of its own.
    ...options,
    limits: { per_address: 10_000, per_email: 1_000, ...options.limits },
  });
  const probes = {
    started: () => true,
    readiness: () => ({ serve: true, word: 'ready' }) as const,
    draining: () => false,
  };
  const app = await createHttp({
    platform,
    accounts,
    plans: { checkRequestRate },
    routes: routes({ accounts }),
    origins: [],
    probes,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  on.onEnd(async () => {
    await app.close();
    await Promise.all([auth_postgres.close(), platform.close()]);
  });
  return {
    platform,
    accounts,
    url,
    auth_pool,
    call: (method, path, given) => callHttp(url, method, path, given),
  };
}

async function callHttp(url: string, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const { token, body, key } = options;
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(key === undefined ? {} : { 'Idempotency-Key': key }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Answer['body'] };
}
