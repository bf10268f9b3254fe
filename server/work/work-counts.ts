import { Counter, Gauge } from 'prom-client';
import type { Metrics } from '../platform/index.ts';
import type { Claim } from '../runs/index.ts';

/** What a worker counts, for `/metrics` and alerts. */
export interface WorkCounts {
  claimed(claim: Claim): void;
  /** Fenced: another worker has it. */
  lost(): void;
  /** Given back after an error. */
  failed(): void;
  /** Ended as crash_loop. */
  poisoned(): void;
}

export function countWork(metrics: Metrics, held: () => number): WorkCounts {
  const registers = [metrics];
  metrics.removeSingleMetric('netra_work_runs_held');
  new Gauge({
    name: 'netra_work_runs_held',
    help: 'Runs executing on this node',
    registers,
    collect() {
      this.set(held());
    },
  });
  const counter = (name: string, help: string): Counter => {
    metrics.removeSingleMetric(name);
    return new Counter({ name, help, registers });
  };
  const claims = counter('netra_work_claims_total', 'Runs taken by this node');
  const recovered = counter('netra_work_recovered_total', 'Runs taken over from a worker that died or failed');
  const lost = counter('netra_work_lost_total', 'Runs lost to another worker');
  const failed = counter('netra_work_failed_total', 'Runs given back after an error');
  const poisoned = counter('netra_work_poisoned_total', 'Runs ended as crash_loop');
  return {
    claimed: (claim) => {
      claims.inc();
      if (claim.attempt > 1) recovered.inc();
    },
    lost: () => lost.inc(),
    failed: () => failed.inc(),
    poisoned: () => poisoned.inc(),
  };
}
