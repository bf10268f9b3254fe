/**
 * Segment: teams whose agents work by the clock
 * Goal: a node that dies at the moment at which something is due neither swallows it nor does it twice
 * Value: the report of the morning comes once, whatever happened at nine
 * Strategic impact: work by the clock is bought by those who are asleep when it runs
 *
 * Seeded: `NETRA_TEST_SEED=N ./netra test --pattern due-times` plays one moment again; `--category chaos` plays eight.
 * Planted bug that turns it red: a schedule that is noted as run before its run is there (a seed that kills at the take).
 */
import { createClient, type Client } from '@netra/client';
import { createAccount, eventually, heavy, seededRandom, startServer, suite, withOwner } from '@netra/testkit';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

const own = suite();
const { length, seed } = heavy();
const seeds = length === 'full' ? Array.from({ length: 8 }, (_, place) => seed + place) : [seed];
/** From when on all is due. A node looks once a second; the plan lets ten runs go on at once. */
const due_ms = 1_500;
const schedule_count = 6;
const delayed_count = 3;

const sql = <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  withOwner(own.stores.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows);

/** To the millisecond, as every time that the server itself writes there. */
const dueIn = (schedules: readonly string[], in_ms: number): Promise<object[]> =>
  sql(
    `update netra.schedule set next_at = date_trunc('milliseconds', now() + $2 * interval '1 ms')
      where schedule_id = any($1)`,
    [schedules, in_ms],
  );

interface Work {
  readonly schedules: readonly string[];
  readonly delayed: readonly string[];
}

async function planWork(client: Client): Promise<Work> {
  const what = { agent: 'rehearsal', input: { steps: 1 } };
  const schedules = await Promise.all(
    Array.from({ length: schedule_count }, () => client.schedules.create({ ...what, cron: '0 0 1 1 *' })),
  );
  const ids = schedules.map(({ schedule }) => schedule);
  await dueIn(ids, due_ms);
  const delayed = await Promise.all(
    Array.from({ length: delayed_count }, () => client.run({ ...what, delay_ms: due_ms })),
  );
  return { schedules: ids, delayed: delayed.map(({ run }) => run) };
}

/** Settles when a node has the first schedule in hand: what it does with it takes it some milliseconds more. */
const untilTaken = ({ schedules }: Work): Promise<void> =>
  withOwner(own.stores.postgres_url, async (client) => {
    const taken = async (): Promise<boolean> => {
      const text = `select from netra.schedule where schedule_id = any($1) and (taken_until > now() or started > 0)`;
      return (await client.query(text, [schedules])).rowCount !== 0;
    };
    await eventually('a schedule is taken', taken, { deadline_ms: 30_000, every_ms: 1 });
  });

/** The runs of all that was due, once each of them is over and each schedule knows of its own. */
function allRuns({ schedules, delayed }: Work): Promise<string[]> {
  const look = async (): Promise<string[] | null> => {
    // What a dead node had in hand is followed after 30 s: here at once, and so is what the living one has in hand.
    await sql(`update netra.schedule set taken_until = '-infinity' where schedule_id = any($1)`, [schedules]);
    const rows = await sql<{ run_id: string; state: string }>(
      `select run_id, state from netra.run
        where run_id = any($1) or split_part(idempotency_key, '/', 2) = any($2)`,
      [delayed, schedules],
    );
    const noted = await sql('select from netra.schedule where schedule_id = any($1) and started + refused > 0', [
      schedules,
    ]);
    const all = rows.length >= schedules.length + delayed.length && noted.length === schedules.length;
    return all && rows.every(({ state }) => state === 'completed') ? rows.map(({ run_id }) => run_id) : null;
  };
  return eventually('all that is due to have run', look, { deadline_ms: 45_000, every_ms: 500 });
}

/** A time that is due after all the others has been seen to: what is over would have come again by then. */
async function untilClockWentRound(client: Client): Promise<void> {
  const { schedule } = await client.schedules.create({ agent: 'rehearsal', input: { steps: 1 }, cron: '0 0 1 1 *' });
  await dueIn([schedule], 0);
  const done = async (): Promise<boolean> =>
    (await sql('select from netra.schedule where schedule_id = $1 and started = 1', [schedule])).length === 1;
  await eventually('the clock has gone round', done, { deadline_ms: 30_000, every_ms: 50 });
}

test.each(seeds)(
  'seed %i: what is due when nodes are killed with -9 runs once',
  async (of_seed) => {
    const random = seededRandom(of_seed);
    // At any moment from before the due time until all have looked, or with a schedule in hand.
    const wait_ms = random() < 0.5 ? Math.round(due_ms - 300 + random() * 1_400) : null;
    const both = random() < 0.5;
    const env = { ...own.env, NETRA_LEASE_MS: '1500' };
    const [account, ...nodes] = await Promise.all([
      createAccount({ env, plan: 'enterprise' }),
      startServer({ env }),
      startServer({ env }),
    ]);
    const first = createClient({ url: nodes[0].url, token: account.token });
    const work = await planWork(first);
    first.close();
    await (wait_ms === null ? untilTaken(work) : sleep(wait_ms));
    await Promise.all((both ? nodes : nodes.slice(0, 1)).map((node) => node.kill()));
    console.info(`seed ${of_seed}: ${both ? 'both nodes' : 'one node'} killed, after ${wait_ms ?? 'the first take'}`);
    const left = both ? await startServer({ env }) : nodes[1];
    own.onEnd(() => left.kill());

    const runs = await allRuns(work);
    const client = createClient({ url: left.url, token: account.token });
    own.onEnd(() => client.close());
    await untilClockWentRound(client);
    expect(await allRuns(work)).toHaveLength(schedule_count + delayed_count);
    const told = await sql<{ started: string; refused: string }>(
      'select started::text, refused::text from netra.schedule where schedule_id = any($1)',
      [work.schedules],
    );
    expect(told).toEqual(work.schedules.map(() => ({ started: '1', refused: '0' })));
    const ends = await sql<{ starts: number; ends: number }>(
      `select count(*) filter (where type = 'agent_started')::int as starts,
        count(*) filter (where type = 'agent_completed')::int as ends
       from netra.event where run_id = any($1) group by run_id`,
      [runs],
    );
    expect(ends).toEqual(runs.map(() => ({ starts: 1, ends: 1 })));
    await left.stop();
  },
  120_000,
);
