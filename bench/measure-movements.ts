import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { grantCredits, moveCredits, openWallet } from '../server/ledger/index.ts';
import type { Ctx } from '../server/platform/index.ts';
import { makeOrg } from './make-org.ts';
import { at, holdAndSettle, makeWallets, plenty_micro } from './measure-holds.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { inTurn, rate, type Pair } from './rate.ts';
import { dropTransferFloor, makeTransferFloor, moveOnFloor } from './transfer-floor.ts';

/** As in pgledger's published runs: 20 workers at once, each on a connection of its own. */
const workers = 20;

export interface MovementSize {
  /** Accounts that the workers choose from: 50 = many, 10 = hot. */
  readonly accounts: number;
  readonly transfers: number;
  readonly rounds: number;
}

/**
 * Movements a second: of holds (each pair is two movements), of credits between wallets of one organisation, each
 * beside transfers of pgledger's shape as bare SQL, between as many accounts.
 */
export async function measureMovements(
  postgres_url: string,
  kind: 'holds' | 'moves',
  { accounts, transfers, rounds }: MovementSize,
): Promise<Pair> {
  const platform = await openBenchPlatform(postgres_url, workers);
  const owner = new Pool({ connectionString: postgres_url, max: workers });
  try {
    const floorAccounts = await makeTransferFloor(owner, accounts);
    const floor = (): Promise<number> =>
      rate(transfers, workers, () => {
        const [from, to] = pickTwo(accounts);
        return moveOnFloor(owner, at(floorAccounts, from), at(floorAccounts, to));
      });
    if (kind === 'holds') {
      const ctxs = await makeWallets(platform, accounts);
      const pairs = Math.ceil(transfers / 2);
      const ours = async (): Promise<number> =>
        2 * (await rate(pairs, workers, () => holdAndSettle(at(ctxs, pickTwo(accounts)[0]))));
      return await inTurn(rounds, ours, floor);
    }
    const ctx = await makeOrg(platform);
    await fillWallets(ctx, accounts);
    const ours = (): Promise<number> => rate(transfers, workers, () => moveOnce(ctx, pickTwo(accounts)));
    return await inTurn(rounds, ours, floor);
  } finally {
    await dropTransferFloor(owner);
    await Promise.all([owner.end(), platform.close()]);
  }
}

/** Two different places among `count`. */
function pickTwo(count: number): readonly [number, number] {
  const from = Math.floor(Math.random() * count);
  return [from, (from + 1 + Math.floor(Math.random() * (count - 1))) % count];
}

async function fillWallets(ctx: Ctx, wallets: number): Promise<void> {
  const amount_micro = plenty_micro * BigInt(wallets);
  await grantCredits({ ctx, input: { amount_micro, source: 'purchase', reason: 'bench', key: 'bench' } });
  for (let wallet = 1; wallet < wallets; wallet += 1) {
    await openWallet({ ctx, input: { wallet, name: `bench ${wallet}` } });
    await moveCredits({
      ctx,
      input: { from: 0, to: wallet, amount_micro: plenty_micro, reason: 'bench', key: `fill ${wallet}` },
    });
  }
}

async function moveOnce(ctx: Ctx, [from, to]: readonly [number, number]): Promise<void> {
  await moveCredits({ ctx, input: { from, to, amount_micro: 1n, reason: 'bench', key: randomUUID() } });
}
