/**
 * Segment: teams whose users all come at nine o'clock
 * Goal: every run completes under load, and the books still balance
 * Value: no run lost to a busy hour
 * Strategic impact: one small machine carries a company
 *
 * Latencies are printed, not asserted: they are the machine's. Planted bugs that turn this red: claim runs without
 * `skip locked`; forget the group commit's batch when one of its runs is fenced.
 */
import { createClient, type Client } from '@netra/client';
import { createAccount, heavy, runServerCommand, startServer, suite, type TestServer } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';

const { length } = heavy();
const accountCount = length === 'full' ? 20 : 3;
// The enterprise plan allows ten runs at once.
const runsOfAccount = 10;
const input = { steps: 2, deltas: 2, delta_bytes: 64, step_ms: 0, tool: 'hash' };

const own = suite();
let server: TestServer;
let clients: readonly Client[];

beforeAll(async () => {
  server = await startServer({ env: own.env });
  own.onEnd(() => server.stop());
  const made: Client[] = [];
  // Two at a time: each is a process of its own.
  for (let pair = 0; pair < accountCount; pair += 2) {
    const accounts = await Promise.all(
      Array.from({ length: Math.min(2, accountCount - pair) }, () =>
        createAccount({ env: own.env, plan: 'enterprise' }),
      ),
    );
    made.push(...accounts.map(({ token }) => createClient({ url: server.url, token })));
  }
  clients = made;
  own.onEnd(() => clients.forEach((client) => client.close()));
}, 300_000);

interface Timed {
  readonly first_ms: number;
  readonly whole_ms: number;
}

async function timedRun(client: Client): Promise<Timed> {
  const started = performance.now();
  let first_ms: number | undefined;
  const handle = await client.run({ agent: 'rehearsal', input });
  const last = await handle.finished(() => (first_ms ??= performance.now() - started));
  expect(last.type).toBe('agent_completed');
  return { first_ms: first_ms ?? Number.NaN, whole_ms: performance.now() - started };
}

function quantile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(0);
}

it(`M2 R2: ${accountCount * runsOfAccount} runs at once all complete, and the books balance`, async () => {
  const timed = await Promise.all(
    clients.flatMap((client) => Array.from({ length: runsOfAccount }, () => timedRun(client))),
  );
  expect(timed).toHaveLength(accountCount * runsOfAccount);
  for (const [name, values] of [
    ['first event', timed.map(({ first_ms }) => first_ms)],
    ['whole run', timed.map(({ whole_ms }) => whole_ms)],
  ] as const) {
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantile(values, share));
    console.log(`${timed.length} runs at once, ${name}: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms`);
  }
  expect(await runServerCommand(['doctor'], own.env)).toMatchObject({ code: 0 });
}, 300_000);
