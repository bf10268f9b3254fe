import { Counter, Gauge } from 'prom-client';
import type { Platform } from '../platform/index.ts';

/** What an operator watches of the way to ClickHouse; each node tells the same rows, and its own failures. */
export interface OutboxMetrics {
  readonly rows: Gauge;
  readonly oldest_seconds: Gauge;
  readonly failures: Counter;
  readonly differences: Gauge;
  readonly reconciled_at: Gauge;
}

const known = new WeakMap<Platform['metrics'], OutboxMetrics>();

export function outboxMetrics({ metrics }: Pick<Platform, 'metrics'>): OutboxMetrics {
  const there = known.get(metrics);
  if (there !== undefined) return there;
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers: [metrics] });
  const made: OutboxMetrics = {
    rows: gauge('netra_outbox_rows', 'rows that have not reached ClickHouse yet'),
    oldest_seconds: gauge('netra_outbox_oldest_seconds', 'age of the oldest of them; 0 = none waits'),
    failures: new Counter({
      name: 'netra_outbox_failures_total',
      help: 'batches of the outbox that this node could not send',
      registers: [metrics],
    }),
    differences: gauge(
      'netra_reconcile_differences',
      'days of organisations that differ, at the last reconciliation here',
    ),
    reconciled_at: gauge('netra_reconcile_at_seconds', 'when charges were last reconciled here, Unix time'),
  };
  known.set(metrics, made);
  return made;
}
