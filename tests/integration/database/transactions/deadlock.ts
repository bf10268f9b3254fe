import { randomUUID } from 'node:crypto';
import { eventually, type Suite } from '@netra/testkit';
import { expect, it } from 'vitest';
import { checkBooks, moveCredits, openWallet, readBalance } from '../../../../server/ledger/index.ts';
import { deriveAppUrl, openLog, openPostgres, type Ctx, type Postgres } from '../../../../server/platform/index.ts';
import { credit, type LedgerNode } from '../../ledger-node.ts';

/** The opposing transfers of the contract, in credits, between two wallets of 200. */
const there = [50n, 25n] as const;
const back = [30n, 40n] as const;
const [left, right] = [1, 2];
const ring = [3, 4, 5, 6, 7];
const inWallet = 200n;

/** On a pool whose retries are counted: each asks for its jitter. */
interface Counted {
  readonly postgres: Postgres;
  retries: number;
  /** The SQLSTATEs that statements ended with, before anything was retried. */
  readonly states: Set<string>;
}

export function deadlock(home: Suite, node: () => LedgerNode): void {
  // Planted bug that turns it red: move_credits() that locks the wallets in the order they are named in.
  it('postgres-5 moves that lock in order: opposing ones and rings never meet a deadlock', async () => {
    const ctx = await withWallets(node());
    const before = await deadlocks(node());
    const move = (from: number, to: number, credits: bigint): Promise<unknown> => {
      const input = { from, to, amount_micro: credits * credit, reason: 'transfer', key: randomUUID() };
      return moveCredits({ ctx, input });
    };
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([
        ...there.map((credits) => move(left, right, credits)),
        ...back.map((credits) => move(right, left, credits)),
        ...ring.map((wallet, place) => move(wallet, next(place), 60n)),
      ]);
    }
    expect(await balances(ctx)).toEqual([inWallet - 50n, inWallet + 50n, ...ring.map(() => inWallet)]);
    expect(await deadlocks(node())).toBe(before);
    expect(await checkBooks({ platform: node().platform })).toEqual([]);
  }, 60_000);

  // Planted bugs that turn it red: a retry that does not know 40P01; one attempt instead of eight; work that goes on in
  // the transaction that was rolled back.
  it('postgres-5 transfers that lock against each other: real deadlocks are retried with jitter, and none surfaces', async () => {
    const ctx = await withWallets(node());
    const before = await deadlocks(node());
    await counting(home, async (counted) => {
      for (const [place, credits] of there.entries()) {
        const both = new Meeting(2);
        await Promise.all([
          carry(counted, ctx, { from: left, to: right, credits, by: 11 }, both),
          carry(counted, ctx, { from: right, to: left, credits: back[place] ?? 0n, by: 12 }, both),
        ]);
      }
      const all = new Meeting(ring.length);
      await Promise.all(
        ring.map((from, place) => carry(counted, ctx, { from, to: next(place), credits: 60n, by: 11 + place }, all)),
      );
      expect([...counted.states]).toEqual(['40P01']);
      expect(counted.retries).toBeGreaterThanOrEqual(3);
    });
    expect(await balances(ctx)).toEqual([inWallet - 5n, inWallet + 5n, ...ring.map(() => inWallet)]);
    const counts = async (): Promise<boolean> => (await deadlocks(node())) >= before + 3n;
    await eventually('PostgreSQL counts a deadlock for each pair and one for the ring', counts);
    expect(await checkBooks({ platform: node().platform })).toEqual([]);
  }, 60_000);

  // Planted bug that turns it red: a retry that does not know 40001, or that does not cover the commit.
  it('postgres-5 serialization failures, at a statement or at the commit, are retried and none surfaces', async () => {
    const ctx = await withWallets(node());
    const database = new URL(home.stores.postgres_url).pathname.slice(1);
    await node().owner(`alter database ${database} set default_transaction_isolation = 'serializable'`);
    try {
      await counting(home, async (counted) => {
        const [all, twins] = [new Meeting(4), new Meeting(2)];
        await Promise.all([
          ...there.map((credits) => moveLate(counted, ctx, { from: left, to: right, credits }, all)),
          ...back.map((credits) => moveLate(counted, ctx, { from: right, to: left, credits }, all)),
          ...[1, 2].map(() => skew(counted, ctx, twins)),
        ]);
        expect([...counted.states]).toEqual(['40001']);
        // Three of the four moves come too late, and one of the twins.
        expect(counted.retries).toBeGreaterThanOrEqual(4);
      });
    } finally {
      await node().owner(`alter database ${database} reset default_transaction_isolation`);
    }
    expect((await balances(ctx)).slice(0, 2)).toEqual([inWallet - 5n, inWallet + 5n]);
    expect(await checkBooks({ platform: node().platform })).toEqual([]);
  }, 60_000);
}

const next = (place: number): number => ring[(place + 1) % ring.length] ?? 0;

/** Wallets of 200 credits each, and empty ones to carry through. */
async function withWallets(node: LedgerNode): Promise<Ctx> {
  const filled = [left, right, ...ring];
  const ctx = await node.newOrg(inWallet * BigInt(filled.length));
  for (const wallet of [...filled, 11, 12, 13, 14, 15]) {
    await openWallet({ ctx, input: { wallet, name: `wallet ${wallet}` } });
    if (!filled.includes(wallet)) continue;
    const input = { from: 0, to: wallet, amount_micro: inWallet * credit, reason: 'start', key: `start ${wallet}` };
    await moveCredits({ ctx, input });
  }
  return ctx;
}

/** What is in the wallets, in credits; and nothing is anywhere else, so the total is what it was. */
async function balances(ctx: Ctx): Promise<readonly bigint[]> {
  const read = async (wallet: number): Promise<bigint> =>
    (await readBalance({ ctx, input: { wallet } })).balance_micro / credit;
  const filled = await Promise.all([left, right, ...ring].map(read));
  expect(filled.reduce((sum, credits) => sum + credits, 0n)).toBe(inWallet * BigInt(filled.length));
  return filled;
}

async function deadlocks(node: LedgerNode): Promise<bigint> {
  const text = `select deadlocks::text from pg_stat_database where datname = current_database()`;
  const [row] = await node.owner<{ deadlocks: string }>(text);
  return BigInt(row?.deadlocks ?? 0);
}

async function counting(home: Suite, work: (counted: Counted) => Promise<void>): Promise<void> {
  const counted = { retries: 0, states: new Set<string>() };
  const random = (): number => {
    counted.retries += 1;
    return Math.random();
  };
  const log = openLog({ level: 'fatal' });
  const postgres = openPostgres(deriveAppUrl(home.stores.postgres_url), { pool_size: 8, log, random });
  try {
    await work(Object.assign(counted, { postgres }));
  } finally {
    await postgres.close();
  }
}

/** Parties that wait until all of them are there; whoever comes again does not wait. */
class Meeting {
  readonly #size: number;
  readonly #all = Promise.withResolvers<void>();
  #here = 0;

  constructor(size: number) {
    this.#size = size;
  }

  join(): Promise<void> {
    this.#here += 1;
    if (this.#here === this.#size) this.#all.resolve();
    return this.#all.promise;
  }
}

interface Carried {
  readonly from: number;
  readonly to: number;
  readonly credits: bigint;
  /** A wallet of this transfer alone: the two it is between are then locked one after the other. */
  readonly by: number;
}

/** A transfer in two steps and one transaction. On its first try it lets the others lock what it will need. */
async function carry(counted: Counted, ctx: Ctx, { from, to, credits, by }: Carried, meeting: Meeting): Promise<void> {
  const { org_id } = ctx.principal;
  const key = randomUUID();
  let met = false;
  const step = (source: number, target: number): { text: string; values: readonly unknown[] } => ({
    text: `select netra.move_credits($1, $2, $3, $4, 'transfer', $5)`,
    values: [org_id, source, target, credits * credit, `${key}/${target}`],
  });
  await counted.postgres.inOrg(org_id, async (tx) => {
    await noting(counted, tx.rows(step(from, by)));
    if (!met) {
      met = true;
      await meeting.join();
    }
    await noting(counted, tx.rows(step(by, to)));
  });
}

/** A move whose transaction has begun, and so sees, what was before the others' moves. */
async function moveLate(counted: Counted, ctx: Ctx, move: Omit<Carried, 'by'>, meeting: Meeting): Promise<void> {
  const { org_id } = ctx.principal;
  const values = [org_id, move.from, move.to, move.credits * credit, randomUUID()];
  let met = false;
  await counted.postgres.inOrg(org_id, async (tx) => {
    if (!met) {
      met = true;
      await meeting.join();
    }
    const text = `select netra.move_credits($1, $2, $3, $4, 'transfer', $5)`;
    await noting(counted, tx.rows({ text, values }));
  });
}

/** Reads what its twin writes, and writes what its twin reads: no order of the two explains both. */
async function skew(counted: Counted, ctx: Ctx, meeting: Meeting): Promise<void> {
  const { org_id, user_id } = ctx.principal;
  let met = false;
  await counted.postgres.inOrg(org_id, async (tx) => {
    const text = `select current_setting('transaction_isolation') as level, count(*) from netra.thread`;
    const [row] = await tx.rows<{ level: string }>({ text, values: [] });
    expect(row?.level).toBe('serializable');
    if (!met) {
      met = true;
      await meeting.join();
    }
    const insert = 'insert into netra.thread (org_id, thread_id, user_id) values ($1, $2, $3)';
    await noting(counted, tx.rows({ text: insert, values: [org_id, randomUUID(), user_id] }));
  });
}

async function noting(counted: Counted, answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof Error && 'code' in error) counted.states.add(String(error.code));
    throw error;
  }
}
