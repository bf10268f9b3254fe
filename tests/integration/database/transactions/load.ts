import { randomUUID } from 'node:crypto';
import { NetraError } from '@netra/contract';
import { expect, it } from 'vitest';
import { checkBooks, readBalance } from '../../../../server/ledger/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { credit, type LedgerNode } from '../../ledger-node.ts';

const organisations = 10;
const atOnce = 30;
const rounds = 10;
const spent_micro = 12n * credit;

/** One multi-table transaction: a thread, its question, a hold, two charges, the answer. */
interface Work {
  readonly ctx: Ctx;
  readonly thread: string;
  readonly hold: string;
  refused?: string;
  took_ms?: number;
}

/** `node` has a connection for each of the thirty. */
export function load(node: () => LedgerNode): void {
  // Planted bugs that turn it red: inOrg() that does not roll back, or that hands a connection to two callers; a pool
  // of one connection whose waiting callers time out.
  it(`postgres-4 ${atOnce} transactions at once over ${organisations} organisations succeed whole, or are refused whole for a business reason`, async () => {
    // The last two cannot pay for all that is asked of them.
    const credits = (place: number): bigint => (place < organisations - 2 ? 10_000n : 100n);
    const ctxs = await Promise.all(Array.from({ length: organisations }, (_, place) => node().newOrg(credits(place))));
    const done: Work[] = [];
    const begun_ms = performance.now();
    for (let round = 0; round < rounds; round += 1) {
      const works = Array.from({ length: atOnce }, (_, place) => workOf(ctxs[place % organisations]));
      await Promise.all(works.map((work) => timed(node(), work)));
      done.push(...works);
    }
    report(done, performance.now() - begun_ms);

    const refused = done.filter((work) => work.refused !== undefined);
    expect(new Set(refused.map((work) => work.refused))).toEqual(new Set(['insufficient_credits']));
    expect(new Set(refused.map(({ ctx }) => ctxs.indexOf(ctx)))).toEqual(new Set([8, 9]));
    for (const work of done) expect(await partsOf(node(), work)).toEqual(work.refused === undefined ? whole : nothing);
    for (const [place, ctx] of ctxs.entries()) {
      const paid = BigInt(done.filter((work) => work.ctx === ctx && work.refused === undefined).length);
      const { balance_micro, held_micro } = await readBalance({ ctx, input: {} });
      expect({ balance_micro, held_micro }).toEqual({
        balance_micro: credits(place) * credit - paid * spent_micro,
        held_micro: 0n,
      });
    }
    expect(await checkBooks({ platform: node().platform })).toEqual([]);
  }, 120_000);
}

function workOf(ctx: Ctx | undefined): Work {
  if (!ctx) throw new Error('an organisation each');
  return { ctx, thread: randomUUID(), hold: randomUUID() };
}

async function timed(node: LedgerNode, work: Work): Promise<void> {
  const begun_ms = performance.now();
  try {
    await transact(node, work);
  } catch (error) {
    if (!(error instanceof NetraError)) throw error;
    work.refused = error.code;
  }
  work.took_ms = performance.now() - begun_ms;
}

function transact(node: LedgerNode, { ctx, thread, hold }: Work): Promise<void> {
  const { org_id, user_id } = ctx.principal;
  const say = `insert into netra.message (org_id, thread_id, message_id, run_id, author, content)
    values ($1, $2, $3, $4, $5, '"text"')`;
  const statements = [
    {
      text: 'insert into netra.thread (org_id, thread_id, user_id) values ($1, $2, $3)',
      values: [org_id, thread, user_id],
    },
    { text: say, values: [org_id, thread, randomUUID(), hold, 'user'] },
    {
      text: `select netra.place_hold($1, $2, $3, 'load', 'triage', $4, $5)`,
      values: [org_id, hold, 30n * credit, hold, hold],
    },
    { text: `select netra.capture_hold($1, $2, $3, 'model', $4)`, values: [org_id, hold, 7n * credit, hold] },
    { text: say, values: [org_id, thread, randomUUID(), hold, 'agent'] },
    { text: `select netra.settle_hold($1, $2, $3, 'load', $4)`, values: [org_id, hold, 5n * credit, hold] },
  ];
  return node.platform.postgres.inOrg(org_id, async (tx) => {
    for (const statement of statements) await tx.rows(statement);
  });
}

const whole = { threads: 1n, messages: 2n, holds: 1n, receipts: 1n, transfers: 3n };
const nothing = { threads: 0n, messages: 0n, holds: 0n, receipts: 0n, transfers: 0n };

async function partsOf(node: LedgerNode, { ctx, thread, hold }: Work): Promise<unknown> {
  const text = `select (select count(*) from netra.thread where org_id = $1 and thread_id = $2) as threads,
      (select count(*) from netra.message where org_id = $1 and thread_id = $2) as messages,
      (select count(*) from netra.hold where org_id = $1 and hold_id = $3 and state = 'settled') as holds,
      (select count(distinct hold_id) from netra.hold_grant where org_id = $1 and hold_id = $3) as receipts,
      (select count(*) from netra.transfer where org_id = $1 and hold_id = $3) as transfers`;
  const { org_id } = ctx.principal;
  const [row] = await node.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<unknown>({ text, values: [org_id, thread, hold] }),
  );
  return row;
}

/** The machine's figures: said, not judged. */
function report(done: readonly Work[], took_ms: number): void {
  const times = done.map(({ took_ms: each_ms }) => each_ms ?? Number.NaN).toSorted((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? Number.NaN).toFixed(1);
  const rate = ((done.length / took_ms) * 1000).toFixed(0);
  console.log(
    `${done.length} transactions of six statements, ${atOnce} at once: ${rate} a second, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  );
}
