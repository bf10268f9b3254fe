/**
 * Segment: every customer.
 * Goal: ten thousand random sequences of all that the ledger can do, and no answer or row that its rules don't explain.
 * Value: the rare order of events in which a credit gets lost or doubled was tried here before a customer meets it.
 * Strategic impact: credits are money; a ledger that is right in the cases that somebody thought of cannot be sold from.
 *
 * Planted bugs that turn this red: a refund in the order of burning; a debt paid newest first; a move that takes from
 * grants that have ended.
 */
import { heavy, suite } from '@netra/testkit';
import fc from 'fast-check';
import { Client } from 'pg';
import { beforeAll, expect, it } from 'vitest';
import { checkBooks } from '../../../server/ledger/index.ts';
import { deriveAppUrl } from '../../../server/platform/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { makeDriver, type Answer, type Kept } from './ledger-driver.ts';
import { makeLines } from './ledger-play.ts';
import { move, Script, type Move } from './ledger-script.ts';

const sequences = 10_000;
const lanes = 4;
const { seed } = heavy();

const home = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(home);
  await makeLines(node);
  await makeDriver(node);
});

/** Beyond the balance: nothing, a little, or without limit. */
const line = fc.constantFrom(undefined, undefined, 60n, null);
// Of every length alike: by default most would be of a few steps.
const moves = fc.array(move, { minLength: 1, maxLength: 14, size: 'max' });

it(`M1 M2 M3 hold, and the ledger is its model, in ${sequences} random sequences of all that it can do, seed ${seed}`, async () => {
  // All of them end before one that failed ends the test, and with it the database.
  const played = await Promise.allSettled(Array.from({ length: lanes }, (_, lane) => playLane(lane)));
  const calls = played.map((lane) => {
    if (lane.status === 'rejected') throw lane.reason;
    return lane.value;
  });
  console.log(`${sequences} sequences, ${calls.reduce((sum, one) => sum + one, 0)} calls of the ledger`);
  expect(await checkBooks({ platform: node.platform })).toEqual([]);
  expect(await node.owner('select * from netra.check_chain()')).toEqual([]);
}, 300_000);

/** A share of the sequences, on a connection of its own; returns how many calls they were. */
async function playLane(lane: number): Promise<number> {
  const client = new Client({ connectionString: deriveAppUrl(home.stores.postgres_url) });
  await client.connect();
  let calls = 0;
  try {
    // Nothing is killed here, and each sequence is many transactions.
    await client.query('set synchronous_commit = off');
    const property = fc.asyncProperty(moves, line, async (taken, limit) => {
      calls += await play(client, taken, limit);
    });
    await fc.assert(property, { numRuns: sequences / lanes, seed: seed + lane });
  } finally {
    await client.end();
  }
  return calls;
}

async function play(client: Client, taken: readonly Move[], limit: bigint | null | undefined): Promise<number> {
  const script = new Script(taken, limit);
  const text = 'call driver.play($1, $2, null)';
  const { rows } = await client.query<{ p_out: { answers: readonly Answer[]; kept: Kept } }>(text, [
    script.org_id,
    JSON.stringify(script.calls),
  ]);
  const [row] = rows;
  if (row === undefined) throw new Error('the driver gave no row');
  const difference = script.difference(row.p_out.answers, row.p_out.kept);
  if (difference !== null) throw new Error(difference);
  return script.calls.length;
}
