import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type Client, type FinalFrame } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { createAccount, eventually, startServer, withOwner, type Suite, type TestServer } from '@netra/testkit';
import { openModel } from '../../server/agents/index.ts';
import { serveModel, type Endpoint } from '../integration/openai-endpoint.ts';
import { crashFiles, crashVariable, type CrashPlan } from './crash-plan.ts';

const preload = fileURLToPath(new URL('crash-at.ts', import.meta.url));

/** A run that was followed to its end, with all that its client saw. */
export interface Followed {
  readonly run: string;
  readonly last: FinalFrame;
  readonly events: readonly EventFrame[];
}

/** A server on a database of its own, with one customer and a model that costs tokens; it can be told where to die. */
export interface Lane {
  readonly client: Client;
  readonly endpoint: Endpoint;
  readonly env: Readonly<Record<string, string>>;
  readonly org_id: string;
  /** Asks for a run and follows it, whatever happens to the server. */
  follow(): Promise<Followed>;
  /** The round trips of a charge since the last call, by name, in order. */
  trace(): Promise<readonly string[]>;
  /** Lays the plan and begins the work; once the server has died as planned, its successor serves on the same port. */
  crash<T>(plan: CrashPlan, begin: () => Promise<T>): Promise<T>;
  rows<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export async function openLane(own: Suite, name: string): Promise<Lane> {
  const folder = await mkdtemp(join(tmpdir(), `netra-crash-${name}-`));
  own.onEnd(() => rm(folder, { recursive: true, force: true }));
  const files = crashFiles(folder);
  const endpoint = await serveModel(openModel('planner', { model: null }));
  own.onEnd(() => endpoint.close());
  const model = { NETRA_MODEL_URL: endpoint.url, NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };
  const env = { ...own.env, ...model, NETRA_LEASE_MS: '600', NETRA_LOG_LEVEL: 'error' };
  const start = (port?: number): Promise<TestServer> =>
    startServer({
      env: { ...env, [crashVariable]: folder },
      node_args: ['--import', preload],
      ...(port === undefined ? {} : { port }),
    });
  let server = await start();
  own.onEnd(() => server.kill());
  const account = await createAccount({ env, plan: 'enterprise' });
  const client = createClient({ url: server.url, token: account.token, backoff: { first_ms: 20, max_ms: 200 } });
  own.onEnd(() => client.close());
  let read = 0;
  return {
    client,
    endpoint,
    env,
    org_id: account.org,
    async follow() {
      const handle = await client.run({ agent: 'triage', input: 'What do we spend?' });
      const events: EventFrame[] = [];
      const last = await handle.finished((event) => events.push(event));
      return { run: handle.run, last, events };
    },
    async trace() {
      const lines = existsSync(files.trace) ? (await readFile(files.trace, 'utf8')).trim().split('\n') : [];
      const since = lines.slice(read);
      read = lines.length;
      return since;
    },
    async crash(plan, begin) {
      await writeFile(`${files.plan}.new`, JSON.stringify(plan));
      await rename(`${files.plan}.new`, files.plan);
      const work = begin();
      const crashed = eventually('the server dies as planned', () => existsSync(files.crashed));
      await Promise.race([crashed, endedBefore(work, plan)]);
      await server.kill();
      const landed: unknown = JSON.parse(await readFile(files.crashed, 'utf8'));
      if (JSON.stringify(landed) !== JSON.stringify(plan)) throw new Error(`died at ${JSON.stringify(landed)}`);
      await Promise.all([rm(files.plan), rm(files.crashed)]);
      server = await start(Number(new URL(server.url).port));
      return work;
    },
    rows: <Row extends object>(text: string, values: readonly unknown[] = []) =>
      withOwner(own.stores.postgres_url, async (to) => (await to.query<Row>(text, [...values])).rows),
  };
}

async function endedBefore(work: Promise<unknown>, plan: CrashPlan): Promise<never> {
  await work;
  throw new Error(`the run ended, and the server never came to ${JSON.stringify(plan)}`);
}
