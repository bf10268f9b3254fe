/**
 * Segment: everyone who pays for a run
 * Goal: a killed database costs time, never an event or a credit
 * Value: runs that were under way end by themselves once it is back, each charged once
 * Strategic impact: PostgreSQL is the one truth; that it may die at any moment is what makes it safe to have only one
 *
 * Runs are in flight when PostgreSQL gets SIGKILL, all of it or one of its processes, at a moment drawn from the seed.
 * Planted bug that turns this red: synchronous_commit = off in the server's settings; what a client saw is then gone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { createAccount, heavy, runServerCommand, startServer, suite } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';
import { openOwnPostgres, type OwnPostgres } from '../integration/own-postgres.ts';

const { length, seed, random } = heavy();
const kills = length === 'full' ? 20 : 2;
const accounts = 2;
// The enterprise plan allows ten runs at once.
const runsOfAccount = 8;
const eventsOfRun = 20;
const input = { steps: 8, deltas: 2, delta_bytes: 32, step_ms: 40, tool: 'wait' };

const own = suite();
let postgres: OwnPostgres;
let env: Readonly<Record<string, string>>;
let clients: readonly Client[];

beforeAll(async () => {
  postgres = await openOwnPostgres(own.stores.clickhouse_url);
  own.onEnd(() => postgres.close());
  env = { ...own.env, NETRA_POSTGRES_URL: postgres.postgres_url, NETRA_LEASE_MS: '1000', NETRA_LOG_LEVEL: 'fatal' };
  const server = await startServer({ env });
  own.onEnd(() => server.kill());
  const made = await Promise.all(Array.from({ length: accounts }, () => createAccount({ env, plan: 'enterprise' })));
  const backoff = { first_ms: 20, max_ms: 300 };
  clients = made.map(({ token }) => createClient({ url: server.url, token, backoff }));
  own.onEnd(() => clients.forEach((client) => client.close()));
}, 120_000);

/** Follows one run to its end; each event must come once, in order, without a gap (R1, R3). */
async function follow(client: Client, seen: () => void): Promise<bigint> {
  const handle = await client.run({ agent: 'rehearsal', input });
  const events: EventFrame[] = [];
  const last = await handle.finished((event) => {
    events.push(event);
    seen();
  });
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(last.type).toBe('agent_completed');
  return BigInt(last.data.credits.spent_micro);
}

async function balances(): Promise<bigint> {
  const credits = await Promise.all(clients.map((client) => client.credits()));
  expect(credits.map(({ held_micro }) => held_micro)).toEqual(credits.map(() => '0'));
  return credits.reduce((sum, { balance_micro }) => sum + BigInt(balance_micro), 0n);
}

it(`R1 R2 R3 M2: ${accounts * runsOfAccount} runs outlive ${kills} kills of PostgreSQL, seed ${seed}`, async () => {
  for (let kill = 0; kill < kills; kill += 1) {
    const before_micro = await balances();
    let events = 0;
    let ended = 0;
    const followed = async (client: Client): Promise<bigint> => {
      const spent_micro = await follow(client, () => (events += 1));
      ended += 1;
      return spent_micro;
    };
    const runs = clients.flatMap((client) => Array.from({ length: runsOfAccount }, () => followed(client)));
    const moment = 1 + Math.floor(random() * eventsOfRun * runs.length);
    while (events < moment) await Promise.race([sleep(2), Promise.all(runs)]);
    expect(ended).toBeLessThan(runs.length);
    await (kill % 2 === 0 ? postgres.kill() : postgres.killBackend());
    const spent = await Promise.all(runs);
    expect(await balances()).toBe(before_micro - spent.reduce((sum, one) => sum + one, 0n));
  }
  expect(await runServerCommand(['doctor'], env)).toMatchObject({ code: 0 });
}, 600_000);
