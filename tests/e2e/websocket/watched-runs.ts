import { createClient, type Client, type FinalFrame } from '@netra/client';
import { advanceLog, emptyLog, NetraError, serverFrame, type EventFrame } from '@netra/contract';
import type { TestServer } from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';

// One delta a step: several may be written as one event, and the number of events is then not the same each time.
export const rehearsal = { steps: 3, deltas: 1, delta_bytes: 24, step_ms: 2, tool: 'hash' };

/** Holds for every run: dense from 1 (R1), by the grammar, each frame by the contract's schema. */
export function expectWhole(events: readonly EventFrame[]): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  for (const event of events) serverFrame.parse(event);
  expect(events.reduce(advanceLog, emptyLog).ended).toBe(true);
}

export const backoff = { first_ms: 20, max_ms: 500 };

interface Watched {
  readonly run: string;
  readonly events: readonly EventFrame[];
  readonly last: FinalFrame;
}

/** Runs the rehearsal and follows it to its end. */
export async function watch(client: Client, input: unknown, idempotency_key: string = randomUUID()): Promise<Watched> {
  const handle = await client.run({ agent: 'rehearsal', input, idempotency_key });
  const events: EventFrame[] = [];
  const last = await handle.finished((event) => events.push(event));
  return { run: handle.run, events, last };
}

/** What is in the log now, read over a fresh connection. */
export async function logOf(url: string, token: string, run: string): Promise<readonly EventFrame[]> {
  const client = createClient({ url, token });
  const events: EventFrame[] = [];
  await client.follow(run).finished((event) => events.push(event));
  client.close();
  return events;
}

/** The balance fell by exactly what the receipts say, and nothing is on hold. */
export async function expectBooks(client: Client, before_micro: bigint, lasts: readonly FinalFrame[]): Promise<void> {
  const spent_micro = lasts.reduce((sum, { data }) => sum + BigInt(data.credits.spent_micro), 0n);
  const { balance_micro, held_micro } = await client.credits();
  expect({ held_micro, balance_micro }).toEqual({ held_micro: '0', balance_micro: String(before_micro - spent_micro) });
}

interface Survival {
  readonly victim: TestServer;
  readonly token: string;
  restart(port: number): Promise<TestServer>;
}

/** Six runs on one socket; the server dies by SIGKILL when each is under way, and comes back at the same address. */
export async function expectSurvival({ victim, token, restart }: Survival): Promise<void> {
  const client = createClient({ url: victim.url, token, backoff });
  let revived: TestServer | undefined;
  try {
    const before_micro = BigInt((await client.credits()).balance_micro);
    const underWay = Promise.withResolvers<void>();
    const waiting = new Set([0, 1, 2, 3, 4, 5]);
    const runs = [...waiting].map(async (index) => {
      const handle = await client.run({ agent: 'rehearsal', input: { ...rehearsal, steps: 8, step_ms: 100 } });
      const events: EventFrame[] = [];
      const last = await handle.finished((event) => {
        events.push(event);
        if (event.seq > 3 + index) waiting.delete(index);
        if (waiting.size === 0) underWay.resolve();
      });
      return { run: handle.run, events, last };
    });
    await Promise.race([underWay.promise, Promise.all(runs)]);
    await victim.kill();
    revived = await restart(Number(new URL(victim.url).port));
    const watched = await Promise.all(runs);
    for (const { run, events, last } of watched) {
      expectWhole(events);
      expect(last.type).toBe('agent_completed');
      expect(events).toEqual(await logOf(revived.url, token, run));
    }
    const attempts = await Promise.all(watched.map(({ run }) => client.readRun(run)));
    expect(Math.max(...attempts.map(({ attempt }) => attempt)), 'some run was resumed').toBeGreaterThan(1);
    await expectBooks(
      client,
      before_micro,
      watched.map(({ last }) => last),
    );
  } catch (error) {
    if (error instanceof NetraError)
      throw new Error(`${error.message}\n${(revived ?? victim).log()}`, { cause: error });
    throw error;
  } finally {
    client.close();
    await revived?.stop();
  }
}
