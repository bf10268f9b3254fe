/**
 * Segment: everyone who pays for a run
 * Goal: wherever in a charge the server dies, the charge is made once, and the run ends by itself
 * Value: no run to repeat, no charge to refund, no credits locked by a run that is no more
 * Strategic impact: the price of a crash is a second, so nodes may be cheap
 *
 * The server gets SIGKILL at each round trip of a charge in turn: before it is sent, after it was sent, or when its
 * answer is there and nobody has seen it (docs/decisions/0014).
 * Planted bugs that turn this red: name a capture's key by the attempt; say again in the log what an earlier worker has
 * charged and said (this one was ours, and the first run of this test found it).
 */
import { heavy, runServerCommand, suite } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';
import { rateUsage, standardBook } from '../../server/billing/index.ts';
import { openLane, type Followed, type Lane } from './crash-lane.ts';
import type { CrashPlan } from './crash-plan.ts';

const { length, seed, random } = heavy();
const crashes = length === 'full' ? 200 : 20;
const fee_micro = 10_000_000n;

/** Each await of a charge: the hold, twice a model call that is reserved, charged and written down, the settlement. */
const awaits = [
  { name: 'agents.admit_run', nth: 1 },
  { name: 'agents.grow_hold', nth: 1 },
  { name: 'agents.charge_run', nth: 1 },
  { name: 'runs.append_event', nth: 1 },
  { name: 'runs.append_event', nth: 2 },
  { name: 'agents.grow_hold', nth: 2 },
  { name: 'agents.charge_run', nth: 2 },
  { name: 'runs.finish_run', nth: 1 },
] as const;

interface Round {
  readonly plan: CrashPlan;
  /** Runs in flight at the crash. */
  readonly runs: number;
}

const suites = [suite(), suite()];
let lanes: readonly Lane[];
beforeAll(async () => {
  lanes = await Promise.all(suites.map((own, place) => openLane(own, `${place}`)));
}, 120_000);

/** Every await, before it is sent and after it was answered; the rest from the seed, with other runs beside it. */
function schedule(): readonly Round[] {
  const sure = (['before', 'answered'] as const).flatMap((moment) =>
    awaits.map((at) => ({ plan: { ...at, moment }, runs: 1 })),
  );
  const drawn = Array.from({ length: crashes - sure.length }, (): Round => {
    const { name, nth } = pick(awaits);
    const runs = 1 + Math.floor(random() * 3);
    // Admissions, appends and ends of several runs share a round trip; movements of holds do not.
    const alone = name === 'agents.grow_hold' || name === 'agents.charge_run';
    const later = alone ? Math.floor(random() * (2 * runs - nth + 1)) : 0;
    return { plan: { name, nth: nth + later, moment: pick(['sent', 'sent', 'before', 'answered']) }, runs };
  });
  return [...sure, ...drawn];
}

function pick<T>(from: readonly T[]): T {
  const picked = from[Math.floor(random() * from.length)];
  if (picked === undefined) throw new Error('picked from nothing');
  return picked;
}

it(`M2 R2: ${crashes} crashes of the server in the middle of a charge: each charge is made once, seed ${seed}`, async () => {
  const rounds = schedule();
  await Promise.all(
    lanes.map(async (lane, place) => {
      await checkAwaits(lane);
      for (const round of rounds.filter((_, number) => number % lanes.length === place)) {
        await crashOnce(lane, round).catch((error: unknown) => {
          throw new Error(`crash at ${JSON.stringify(round)}`, { cause: error });
        });
      }
      expect(await runServerCommand(['doctor'], lane.env)).toMatchObject({ code: 0 });
    }),
  );
}, 900_000);

/** The list above is the whole of it: an await that a charge gains must be crashed at as well. */
async function checkAwaits(lane: Lane): Promise<void> {
  await lane.trace();
  await lane.follow();
  const trace = await lane.trace();
  expect(new Set(trace)).toEqual(new Set(awaits.map(({ name }) => name)));
  for (const { name, nth } of awaits) {
    expect(trace.filter((each) => each === name).length, name).toBeGreaterThanOrEqual(nth);
  }
}

async function crashOnce(lane: Lane, { plan, runs }: Round): Promise<void> {
  const before_micro = await balanceOf(lane);
  const admitted = await countRuns(lane);
  const asked = lane.endpoint.calls.length;
  const followed = await lane.crash(plan, () => Promise.all(Array.from({ length: runs }, () => lane.follow())));
  expect(new Set(followed.map(({ run }) => run)).size).toBe(runs);
  const prices = pricesOf(lane.endpoint.calls.slice(asked));
  let spent_micro = 0n;
  for (const each of followed) spent_micro += await expectOneCharge(lane, each, prices);
  expect(await balanceOf(lane)).toBe(before_micro - spent_micro);
  expect(await countRuns(lane), 'runs that nobody asked for').toBe(admitted + runs);
  expect(await lane.rows('select * from netra.check_books()')).toEqual([]);
  expect(await lane.rows('select * from netra.check_run_log(60000)')).toEqual([]);
}

/** Nothing may be held once nothing runs. */
async function balanceOf({ client }: Lane): Promise<bigint> {
  const { balance_micro, held_micro } = await client.credits();
  expect(held_micro).toBe('0');
  return BigInt(balance_micro);
}

async function countRuns({ rows }: Lane): Promise<number> {
  const [found] = await rows<{ runs: number }>('select count(*)::int as runs from netra.run');
  return found?.runs ?? 0;
}

type Prices = readonly ReadonlySet<bigint>[];

/** What the n-th model call of a run may cost: a call that was made again after the crash may have counted anew. */
function pricesOf(calls: Lane['endpoint']['calls']): Prices {
  const prices: Set<bigint>[] = [];
  for (const { request, usage } of calls) {
    if (usage === null) continue;
    const step = request.messages.filter(({ role }) => role === 'assistant').length;
    const { prompt_tokens: input_tokens, completion_tokens: output_tokens } = usage;
    const tokens = { input_tokens, cached_input_tokens: 0, output_tokens };
    const rated = rateUsage({ model: request.model, ...tokens, at: new Date() }, standardBook());
    (prices[step] ??= new Set()).add(rated.cost_micro);
  }
  return prices;
}

interface Moved {
  readonly kind: string;
  readonly key: string;
  readonly spent_micro: string;
}

/** Returns what the run was charged: its fee and each of its model calls, once, and that is what its log says. */
async function expectOneCharge(lane: Lane, { run, last, events }: Followed, prices: Prices): Promise<bigint> {
  expect(last.type).toBe('agent_completed');
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place + 1));
  const text = `select kind, key, spent_micro::text from netra.transfer
    where org_id = $1 and run_id = $2 and spent_micro > 0 order by version`;
  const moved = await lane.rows<Moved>(text, [lane.org_id, run]);
  expect(moved.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
    `capture ${run}/model/0`,
    `capture ${run}/model/1`,
    `settle run/${run}`,
  ]);
  const [first, second, fee] = moved.map(({ spent_micro }) => BigInt(spent_micro));
  expect([prices[0]?.has(first ?? 0n), prices[1]?.has(second ?? 0n), fee]).toEqual([true, true, fee_micro]);
  const charged = events.flatMap((event) =>
    event.type === 'credits_charged' ? [BigInt(event.data.amount_micro)] : [],
  );
  expect(charged, 'as its log says').toEqual([first, second]);
  const spent_micro = (first ?? 0n) + (second ?? 0n) + fee_micro;
  expect(last.data.credits.spent_micro).toBe(`${spent_micro}`);
  return spent_micro;
}
