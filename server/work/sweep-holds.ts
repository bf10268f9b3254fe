import { Counter, Gauge } from 'prom-client';
import { oneRow, type Metrics, type Platform } from '../platform/index.ts';
import {
  countKeptHolds,
  selectOrphanHolds,
  sweepHoldStatement,
  type KeptHolds,
  type OrphanHold,
  type SweptHold,
} from './sql/orphan-holds.ts';

/** For holds without an end of their own: younger ones may belong to work that is under way. */
const older_ms = 3_600_000;
const batch = 100;

export interface SweptHolds {
  readonly settled: number;
  readonly released: number;
  readonly kept: number;
}

/**
 * Ends holds that nobody will end: settles what the run log proves, releases what provably did nothing, keeps and
 * reports the rest. Admission and end of a run are one transaction each, so a run's hold is settled by the run, whoever
 * takes it over: what is found here comes from elsewhere, or from a database that was put back. Safe to repeat, and on
 * several nodes at once: a hold ends by one compare-and-set, in the transaction that reads the evidence.
 */
export async function sweepHolds({ platform }: { readonly platform: Platform }): Promise<SweptHolds> {
  const { postgres, log, metrics } = platform;
  const counted = countSwept(metrics);
  const swept = { settled: 0, released: 0, kept: 0 };
  for (const hold of await postgres.call<OrphanHold>(selectOrphanHolds(older_ms, batch))) {
    const { verdict, ...found } = oneRow(await postgres.call<SweptHold>(sweepHoldStatement(hold)));
    if (verdict === 'gone') continue;
    swept[verdict] += 1;
    counted.verdicts.inc({ verdict });
    log.warn({ ...hold, verdict, ...found }, `orphaned hold ${verdict}`);
  }
  const kept = oneRow(await postgres.call<KeptHolds>(countKeptHolds()));
  counted.kept.set(Number(kept.holds));
  if (kept.holds > 0n) log.error(kept, 'holds are kept that nothing proves: a person has to settle them');
  return swept;
}

interface Counts {
  readonly verdicts: Counter;
  readonly kept: Gauge;
}

function countSwept(metrics: Metrics): Counts {
  const registers = [metrics];
  const known = (name: string): unknown => metrics.getSingleMetric(name);
  const verdicts = known('netra_work_holds_swept_total');
  const kept = known('netra_work_holds_kept');
  return {
    verdicts:
      verdicts instanceof Counter
        ? verdicts
        : new Counter({
            name: 'netra_work_holds_swept_total',
            help: 'Orphaned holds looked at, by what became of them',
            labelNames: ['verdict'],
            registers,
          }),
    kept:
      kept instanceof Gauge
        ? kept
        : new Gauge({ name: 'netra_work_holds_kept', help: 'Active holds that nothing proves', registers }),
  };
}
