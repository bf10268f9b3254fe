/**
 * Segment: everyone who pays for a run
 * Goal: whatever breaks under a run, it ends by itself, and its client sees each event once
 * Value: no run to repeat, no charge to refund, no screen that stands still
 * Strategic impact: nodes, networks and stores may be cheap; what runs on them is not lost
 *
 * Runs are in flight on three nodes when one fault of the table strikes, at a moment drawn from the seed.
 * NETRA_TEST_SEED=N ./netra test --pattern fault-runs does the schedule of one seed again.
 * Planted bug that turns it red: append_events without token and head (a worker that wakes writes among its successor's).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { eventually, heavy, runServerCommand, seededRandom, suite } from '@netra/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds, type FaultKind } from './fault-kinds.ts';
import { isGone, openStage, type Stage, type StagedNode } from './fault-stage.ts';

const { length, seed } = heavy();
const seeds = length === 'full' ? Array.from({ length: 8 }, (_, place) => seed + place) : [seed];
/** Of each client, beside one run that calls a model and is charged for it. */
const rehearsals = 3;
const input = { steps: 8, deltas: 2, delta_bytes: 32, step_ms: 80, tool: 'wait' };
const eventsOfRehearsal = 26;

const own = suite();
let stage: Stage;
beforeAll(async () => {
  stage = await openStage(own, seededRandom(seed));
}, 300_000);

interface Followed {
  readonly run: string;
  readonly events: readonly EventFrame[];
  readonly spent_micro: bigint;
}

interface Counted {
  accepted: number;
  seen: number;
}

async function follow(client: Client, ask: { agent: string; input: unknown }, counted: Counted): Promise<Followed> {
  const handle = await client.run(ask);
  counted.accepted += 1;
  const events: EventFrame[] = [];
  const last = await handle.finished((event) => {
    events.push(event);
    counted.seen += 1;
  });
  expect(last.type, JSON.stringify(last.data)).toBe('agent_completed');
  return { run: handle.run, events, spent_micro: BigInt(last.data.credits.spent_micro) };
}

async function balance(): Promise<bigint> {
  const credits = await Promise.all(stage.clients.map((client) => client.credits()));
  expect(credits.map(({ held_micro }) => held_micro)).toEqual(credits.map(() => '0'));
  return credits.reduce((sum, { balance_micro }) => sum + BigInt(balance_micro), 0n);
}

async function strikeOnce(kind: FaultKind, random: () => number): Promise<void> {
  const before_micro = await balance();
  const counted = { accepted: 0, seen: 0 };
  const asks = [
    ...Array.from({ length: rehearsals }, () => ({ agent: 'rehearsal', input })),
    { agent: 'triage', input: 'What do we spend?' },
  ];
  const asked = stage.clients.flatMap((client) => asks.map((ask) => follow(client, ask, counted)));
  const runs = Promise.all(asked);
  // Waited for below; if the fault itself fails, that is what there is to tell.
  runs.catch(() => undefined);
  // In the first half of the work, so that there is some left for the fault to fall into; and not before all were
  // accepted, for an ask that meets a store that is gone is refused, as it should be.
  const moment = 1 + Math.floor((random() * eventsOfRehearsal * rehearsals * stage.clients.length) / 2);
  while (counted.seen < moment || counted.accepted < asked.length) await Promise.race([sleep(2), runs]);
  const proofs = await kind.strike(stage, random);
  const followed = await Promise.race([runs, stuck(runs)]);
  for (const { what, holds } of proofs) await eventually(`landed: ${what}`, holds);
  await stage.restore();
  await expectSound(followed);
  expect(await balance()).toBe(before_micro - followed.reduce((sum, { spent_micro }) => sum + spent_micro, 0n));
}

/** A run that does not end is what this is about: better told than waited for. */
async function stuck(runs: Promise<unknown>): Promise<never> {
  const over = new AbortController();
  // Its failure is told by whoever races this with it.
  void runs.catch(() => undefined).finally(() => over.abort());
  await sleep(150_000, undefined, { signal: over.signal });
  throw new Error(`not all runs have ended: ${JSON.stringify(await stage.rows(open))}`);
}

/** After a failure, so that the next kind starts from where all are well. */
async function calm(): Promise<void> {
  await stage.restore();
  await eventually('all runs to end', async () => (await stage.rows(open)).length === 0, { deadline_ms: 30_000 });
}

/** What a node said last, and whether it is still there. */
function tell({ name, pid, log }: StagedNode): string {
  return `${name}, process ${pid}${isGone(pid) ? ', which is gone' : ''}:\n${log().slice(-4_000)}`;
}

const open = `select run_id, state from netra.run where state not in ('completed', 'failed', 'cancelled')`;

/** R1 to R3 and M1 to M3: what clients saw is the log, whole and once; the books are right; nothing is left open. */
async function expectSound(followed: readonly Followed[]): Promise<void> {
  for (const { run, events } of followed) {
    const text = 'select seq, type, data from netra.event where run_id = $1 order by seq';
    const log = await stage.rows(text, [run]);
    expect(events.map(({ seq, type, data }) => ({ seq, type, data }))).toEqual(log);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place + 1));
  }
  expect(await stage.rows(open)).toEqual([]);
  expect(await stage.rows('select * from netra.check_run_log(0)')).toEqual([]);
  expect(await stage.rows('select * from netra.check_books()')).toEqual([]);
}

describe('R1 R2 R3 M1 M2 M3: runs end, and their clients see each event once, when', () => {
  it.each(kinds)('$name', { timeout: 600_000 }, async (kind) => {
    const place = kinds.indexOf(kind);
    for (const each of seeds) {
      await strikeOnce(kind, seededRandom(each * 1_000 + place)).catch(async (error: unknown) => {
        const told = [stage.serving, ...stage.working].map(tell).join('\n');
        await calm();
        throw new Error(`${kind.name}, seed ${each}\n${told}`, { cause: error });
      });
    }
  });

  afterAll(async () => {
    expect(await runServerCommand(['doctor'], stage.env)).toMatchObject({ code: 0 });
  }, 60_000);
});
