import { randomUUID } from 'node:crypto';
import type { Session } from '@netra/contract';
import { openEmbeddedStores, startServer } from '@netra/testkit/processes';

/** A real server on a data folder of its own, in a process of its own, as an operator starts it. */
export interface BenchHouse {
  readonly url: string;
  readonly ws: string;
  readonly pid: number;
  /** What another server needs to be a node of this house. */
  readonly env: Readonly<Record<string, string>>;
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  /** A new organisation on the enterprise plan, and a token of its owner. */
  signUp(): Promise<Session>;
  /** Such a user, who is the same for the same number: an address may sign up 300 times in five minutes. */
  user(number: number): Promise<Session>;
  close(): Promise<void>;
}

export async function startHouse(): Promise<BenchHouse> {
  const stores = await openEmbeddedStores();
  const house = await serveHouse(stores).catch(async (error: unknown) => {
    await stores.close();
    throw error;
  });
  return {
    ...house,
    close: async () => {
      await house.close();
      await stores.close();
    },
  };
}

/** A server on stores that are there. */
export async function serveHouse({
  postgres_url,
  clickhouse_url,
}: {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
}): Promise<BenchHouse> {
  const env = {
    NETRA_POSTGRES_URL: postgres_url,
    NETRA_CLICKHOUSE_URL: clickhouse_url,
    NETRA_SIGNUP_PLAN: 'enterprise',
    NETRA_REHEARSAL: 'on',
    // Every socket of a measurement is one user's.
    NETRA_SOCKETS_USER: '1000000',
    NETRA_SOCKETS_ORG: '1000000',
    NETRA_LOG_LEVEL: 'warn',
  };
  const { url, ws, pid, stop } = await startServer({ env });
  const users: Promise<Session>[] = [];
  const user = (number: number): Promise<Session> => (users[number] ??= signUp(url));
  return { url, ws, pid, env, postgres_url, clickhouse_url, signUp: () => signUp(url), user, close: stop };
}

async function signUp(url: string): Promise<Session> {
  const name = randomUUID();
  const response = await fetch(`${url}/v1/auth/sign-up`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: `${name}@bench.invalid`, password: name, org: `bench ${name}` }),
  });
  if (!response.ok) throw new Error(`sign-up: ${response.status} ${await response.text()}`);
  return (await response.json()) as Session;
}
