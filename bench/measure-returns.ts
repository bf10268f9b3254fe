import { finishedRun } from './finished-run.ts';
import { replay } from './measure-replay.ts';
import { quantile } from './rate.ts';
import type { BenchHouse } from './start-house.ts';

export interface ReturnFigures {
  /** From the connection to the answer to the sign-in, and to the last event that was missed. */
  readonly ready_p50_ms: number;
  readonly whole_p50_ms: number;
  readonly whole_p99_ms: number;
}

/** Events of the run, and how many of them those who come back have missed. */
const [events, missed] = [500, 100];

/** All clients come back at the same moment, each with its cursor, to a run that went on without them. */
export async function measureReturns(house: BenchHouse, clients: number): Promise<ReturnFigures> {
  const { run, token } = await finishedRun(house, events);
  const back = (): Promise<{ ready_ms: number; end_ms: number }> =>
    replay(house.ws, { token, run, after: events - missed });
  await back();
  const times = await Promise.all(Array.from({ length: clients }, back));
  return {
    ready_p50_ms: quantile(times, (time) => time.ready_ms, 0.5),
    whole_p50_ms: quantile(times, (time) => time.end_ms, 0.5),
    whole_p99_ms: quantile(times, (time) => time.end_ms, 0.99),
  };
}
