import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { RunCancelled } from '../runs/index.ts';
import type { HeldRun } from './held-run.ts';
import { heartbeatRuns, type HeartbeatRow } from './sql/lease.ts';

/** Leases renewed by one statement; a node with more sends several. */
const page = 1_000;

/**
 * Renews the leases of all held runs three times a lease, whatever their tools do (W2). A run that the database no
 * longer gives us, or whose lease nobody could renew for its whole length, is aborted as `fenced`. Returns the stop.
 */
export function keepHeartbeat({
  platform,
  runs,
}: {
  readonly platform: Platform;
  readonly runs: ReadonlyMap<string, HeldRun>;
}): () => void {
  const { lease_ms } = platform.config;
  let renewed_at = performance.now();
  let timer: NodeJS.Timeout;
  let stopped = false;

  const beat = async (): Promise<void> => {
    try {
      const held = [...runs.values()].filter((run) => run.writable);
      for (let from = 0; from < held.length; from += page) await renew(platform, held.slice(from, from + page));
      renewed_at = performance.now();
    } catch (error) {
      platform.log.warn({ err: error, runs: runs.size }, 'leases not renewed');
      if (performance.now() - renewed_at > lease_ms) for (const run of runs.values()) run.abort(taken());
    }
    if (!stopped) timer = setTimeout(() => void beat(), lease_ms / 3);
  };
  timer = setTimeout(() => void beat(), lease_ms / 3);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

async function renew(platform: Platform, held: readonly HeldRun[]): Promise<void> {
  const leases = held.map((run) => run.claim);
  const rows = await platform.postgres.call<HeartbeatRow>(heartbeatRuns(leases, platform.config.lease_ms));
  const ours = new Map(rows.map((row) => [row.run_id, row.cancel_requested_by]));
  for (const run of held) {
    const cancelled_by = ours.get(run.claim.run_id);
    if (cancelled_by === undefined) {
      // Its own last write may have ended the lease while this was on its way.
      if (run.writable) run.abort(taken());
    } else if (cancelled_by !== null) run.abort(new RunCancelled(cancelled_by));
  }
}

function taken(): NetraError {
  return new NetraError('fenced', 'Another worker has taken this run over');
}
