import { oneRow, startPoll, type Platform } from '../platform/index.ts';
import { nodeOf } from '../runs/index.ts';
import { resumeFundedStatement, selectFundedRuns, type DoneRow, type ParkedRun } from './sql/parked.ts';

/** How late credits that have come may be noticed. One indexed look, and with nobody waiting it finds nothing. */
const poll_ms = 2_000;
/** Runs let go on at one look, on this node; the others look too. */
const batch = 100;

/**
 * Lets runs go on that waited for credits, once these are there: granted, bought, released by another run, or allowed by
 * a higher cap. Looking serves every way that credits come, and asks none of them to remember. Each run goes on once, on
 * however many nodes this is done at once. Resolves to how many this call has let go on.
 */
export async function resumeFunded({ platform }: { readonly platform: Platform }): Promise<number> {
  const { postgres } = platform;
  const { feed, hint, worker } = nodeOf(platform);
  const resumed: string[] = [];
  for (const run of await postgres.call<ParkedRun>(selectFundedRuns(batch))) {
    if (!oneRow(await postgres.call<DoneRow>(resumeFundedStatement(run))).done) continue;
    resumed.push(run.run_id);
    feed.wake(run.run_id);
  }
  if (resumed.length === 0) return 0;
  hint({ kind: 'moved', runs: resumed });
  hint({ kind: 'queued' });
  worker?.queued();
  return resumed.length;
}

/** resumeFunded over and over, until the returned function is called; that resolves when no look is under way. */
export function keepResumingFunded(platform: Platform): () => Promise<void> {
  const { log, random } = platform;
  const failed = 'runs that wait for credits were not looked at';
  const poll = startPoll({ pause_ms: poll_ms, look: () => resumeFunded({ platform }), failed, log, random });
  return () => poll.stop();
}
