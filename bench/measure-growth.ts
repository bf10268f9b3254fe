import { Client } from 'pg';
import { migrateUp, openLog } from '../server/platform/index.ts';
import { at, holdAndSettle, makeWallets } from './measure-holds.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { inTurn, rate, type Pair } from './rate.ts';
import { writeHistory } from './write-history.ts';

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

/** A database of its own in the same server, migrated, with that many transfers of a thousand each. */
async function openLedgerWith(
  { postgres_url, clickhouse_url }: { readonly postgres_url: string; readonly clickhouse_url: string },
  name: string,
  stored: number,
): Promise<GrownLedger> {
  await asOwner(postgres_url, `drop database if exists ${name} with (force)`, `create database ${name}`);
  const url = new URL(postgres_url);
  url.pathname = `/${name}`;
  const urls = { postgres_url: url.toString(), clickhouse_url };
  await migrateUp({ urls, log: openLog({ level: 'error' }) });
  await writeHistory(urls.postgres_url, { orgs: Math.ceil(stored / 1_000), pairs: 500 });
  const platform = await openBenchPlatform(urls.postgres_url, connections);
  return {
    ctxs: await makeWallets(platform, wallets),
    drop: async () => {
      await platform.close();
      await asOwner(postgres_url, `drop database if exists ${name} with (force)`);
    },
  };
}

async function asOwner(postgres_url: string, ...texts: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: postgres_url });
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}
