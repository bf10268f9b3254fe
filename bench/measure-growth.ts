import { openGrownDatabase } from './grown-database.ts';
import { at, holdAndSettle, makeWallets } from './measure-holds.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { inTurn, rate, type Pair } from './rate.ts';

const connections = 16;
const wallets = 200;

export interface GrowthSize {
  /** Transfers stored in the full ledger; the other has a thousand. */
  readonly stored: number;
  readonly pairs: number;
  readonly rounds: number;
}

/** Hold + settle a second on a ledger that is full (`ours`), beside the same on one that has a thousand transfers. */
export async function measureGrowth(
  urls: { readonly postgres_url: string; readonly clickhouse_url: string },
  { stored, pairs, rounds }: GrowthSize,
): Promise<Pair> {
  const full = await openLedgerWith(urls, 'growth_full', stored);
  const small = await openLedgerWith(urls, 'growth_small', 1_000);
  try {
    const on = (ledger: GrownLedger) => (): Promise<number> =>
      rate(pairs, connections * 4, (index) => holdAndSettle(at(ledger.ctxs, index)));
    return await inTurn(rounds, on(full), on(small));
  } finally {
    await Promise.all([full.drop(), small.drop()]);
  }
}

interface GrownLedger {
  readonly ctxs: Awaited<ReturnType<typeof makeWallets>>;
  drop(): Promise<void>;
}

async function openLedgerWith(
  urls: { readonly postgres_url: string; readonly clickhouse_url: string },
  name: string,
  stored: number,
): Promise<GrownLedger> {
  const database = await openGrownDatabase(urls, name, stored);
  const platform = await openBenchPlatform(database.postgres_url, connections);
  return {
    ctxs: await makeWallets(platform, wallets),
    drop: async () => {
      await platform.close();
      await database.drop();
    },
  };
}
