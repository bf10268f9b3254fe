import { oneRow, type Platform } from '../platform/index.ts';
import { nodeOf } from '../runs/index.ts';
import { giveUpParkedStatement, selectUnansweredRuns, type DoneRow, type ParkedRun } from './sql/parked.ts';

/**
 * Ends runs that have been parked for longer than this installation lets them: nobody answered, or the credits did not
 * come. They hold credits of their organisation all the time, so they may not wait for ever. Safe to repeat, and on
 * several nodes at once. Resolves to how many were ended.
 */
export async function giveUpParked({
  platform,
  limit,
}: {
  readonly platform: Platform;
  readonly limit: number;
}): Promise<number> {
  const { postgres, config, log } = platform;
  const { feed, hint } = nodeOf(platform);
  const ended: string[] = [];
  for (const run of await postgres.call<ParkedRun>(selectUnansweredRuns(config.parked_ms, limit))) {
    if (!oneRow(await postgres.call<DoneRow>(giveUpParkedStatement(run, config.parked_ms))).done) continue;
    ended.push(run.run_id);
    feed.wake(run.run_id);
    log.info({ run_id: run.run_id }, 'parked run given up');
  }
  if (ended.length > 0) hint({ kind: 'moved', runs: ended });
  return ended.length;
}
