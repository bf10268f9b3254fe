import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { RunCancelled } from '../runs/index.ts';
import type { HeldRun } from './held-run.ts';
import { heartbeatRuns, type HeartbeatRow } from './sql/lease.ts';

/** Leases renewed by one statement; a node with more sends several. */
const page = 1_000;

/**
 * Renews the leases of all held runs three times a lease, whatever their tools do (W2). A run that the database no
 * longer gives us, or whose lease nobody could renew for its whole length, is aborted as `fenced`. Returns what stops it.
 */
export function keepHeartbeat(options: {
  readonly platform: Platform;
  readonly runs: ReadonlyMap<string, HeldRun>;
}): () => void {
  const beating = new Beating(options.platform, options.runs);
  return () => beating.stop();
}

class Beating {
  readonly #platform: Platform;
  readonly #runs: ReadonlyMap<string, HeldRun>;
  readonly #pause_ms: number;
  #renewed_at = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(platform: Platform, runs: ReadonlyMap<string, HeldRun>) {
    this.#platform = platform;
    this.#runs = runs;
    this.#pause_ms = platform.config.lease_ms / 3;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    const due_at = performance.now() + this.#pause_ms;
    this.#timer = setTimeout(() => {
      const late_ms = Math.round(performance.now() - due_at);
      // What blocks the event loop blocks sockets and probes too: whoever runs this wants to know.
      if (late_ms > this.#pause_ms) this.#platform.log.warn({ late_ms, runs: this.#runs.size }, 'node stood still');
      void this.#renewAll().then(() => {
        if (!this.#stopped) this.#schedule();
      });
    }, this.#pause_ms);
  }

  async #renewAll(): Promise<void> {
    const { log, config } = this.#platform;
    const lapsed = (): boolean => performance.now() - this.#renewed_at > config.lease_ms;
    for (;;) {
      const last = lapsed();
      const began = performance.now();
      try {
        const held = [...this.#runs.values()].filter((run) => run.writable);
        for (let from = 0; from < held.length; from += page) await renew(this.#platform, held.slice(from, from + page));
        this.#renewed_at = performance.now();
        return;
      } catch (error) {
        log.warn({ err: error, runs: this.#runs.size }, 'leases not renewed');
        // Only a try that began after the lease was over says that it is lost, and only if this process was awake to hear
        // the answer: it waits for one as long as a lease. Else the database may still hold the lease for us.
        const slept = performance.now() - began > config.lease_ms * 1.5;
        const lost = last && !slept;
        if (lost) for (const run of this.#runs.values()) run.abort(taken());
        if (lost || !lapsed()) return;
      }
    }
  }
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
