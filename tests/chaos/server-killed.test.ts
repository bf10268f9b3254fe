/**
 * Segment: everyone who pays for a run
 * Goal: a killed server costs time, never an event or a credit
 * Value: no run to repeat, no charge to refund
 * Strategic impact: nodes are cattle: add one, lose one
 *
 * Runs are in flight when the server gets SIGKILL, at a moment drawn from the seed; another process goes on.
 * Planted bugs that turn this red: deliver an event before its commit; drop the fence from netra.append_events; settle
 * a hold in a transaction of its own after the terminal event.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { createAccount, heavy, runServerCommand, startServer, suite, type TestServer } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';

const { length, seed, random } = heavy();
const kills = length === 'full' ? 8 : 1;
// The enterprise plan allows ten runs at once.
const runsOfAccount = 10;
const input = { steps: 8, deltas: 2, delta_bytes: 32, step_ms: 60, tool: 'wait' };

const own = suite();
const env = { ...own.env, NETRA_LEASE_MS: '1000' };
let server: TestServer;
let clients: readonly Client[];

beforeAll(async () => {
  server = await startServer({ env });
  own.onEnd(() => server.kill());
  const accounts = await Promise.all([1, 2].map(() => createAccount({ env, plan: 'enterprise' })));
  const backoff = { first_ms: 20, max_ms: 300 };
  clients = accounts.map(({ token }) => createClient({ url: server.url, token, backoff }));
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

it(`R1 R2 R3 M2: ${runsOfAccount * 2} runs outlive ${kills} kill(s) of their server, seed ${seed}`, async () => {
  const port = Number(new URL(server.url).port);
  for (let kill = 0; kill < kills; kill += 1) {
    const before_micro = await balances();
    let events = 0;
    let ended = 0;
    const inFlight = clients.flatMap((client) =>
      Array.from({ length: runsOfAccount }, () =>
        follow(client, () => (events += 1)).finally(() => {
          ended += 1;
        }),
      ),
    );
    // A run has some 26 events: the moment lies anywhere between the first and most of them.
    const moment = 1 + Math.floor(random() * 20 * runsOfAccount * 2);
    while (events < moment) await Promise.race([sleep(2), Promise.all(inFlight)]);
    expect(ended).toBeLessThan(inFlight.length);
    await server.kill();
    server = await startServer({ env, port });
    const spent = await Promise.all(inFlight);
    expect(await balances()).toBe(before_micro - spent.reduce((sum, one) => sum + one, 0n));
  }
  expect(await runServerCommand(['doctor'], env)).toMatchObject({ code: 0 });
}, 600_000);
