import { openGrownDatabase } from './grown-database.ts';
import { measureReturns } from './measure-returns.ts';
import { connectUsers, runFor } from './measure-runs.ts';
import { inTurn, type Pair } from './rate.ts';
import type { SocketUser } from './socket-user.ts';
import { serveHouse, type BenchHouse } from './start-house.ts';
import { writeRuns } from './write-runs.ts';

const users = 50;
const returning = 100;

export interface RunGrowth {
  /** Complete two-step runs a second. */
  readonly runs: Pair;
  /** How long clients that come back at once wait for what they missed, in the middle; ms. */
  readonly back: Pair;
}

/** The figures of a house in which many finished runs are stored, beside one that has a thousand. */
export async function measureRunGrowth(
  urls: { readonly postgres_url: string; readonly clickhouse_url: string },
  { stored, rounds, seconds }: { readonly stored: number; readonly rounds: number; readonly seconds: number },
): Promise<RunGrowth> {
  const full = await openGrownHouse(urls, 'runs_full', stored);
  const small = await openGrownHouse(urls, 'runs_small', 1_000);
  try {
    const runs = (house: GrownHouse) => async (): Promise<number> =>
      (await runFor(house.sockets, seconds / 2)).runs_per_second;
    const back = (house: GrownHouse) => async (): Promise<number> =>
      (await measureReturns(house, returning)).whole_p50_ms;
    return {
      runs: await inTurn(rounds, runs(full), runs(small)),
      back: await inTurn(rounds, back(full), back(small)),
    };
  } finally {
    await Promise.all([full.close(), small.close()]);
  }
}

type GrownHouse = BenchHouse & { readonly sockets: readonly SocketUser[] };

async function openGrownHouse(
  urls: { readonly postgres_url: string; readonly clickhouse_url: string },
  name: string,
  stored: number,
): Promise<GrownHouse> {
  // A run is a hold and its settlement.
  const database = await openGrownDatabase(urls, name, stored * 2);
  await writeRuns(database.postgres_url);
  const house = await serveHouse(database);
  const sockets = await connectUsers(house, users);
  await runFor(sockets, 1);
  return {
    ...house,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.close();
      await house.close();
      await database.drop();
    },
  };
}
