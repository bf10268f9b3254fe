import type { Pool } from 'pg';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from './metrics.ts';

/**
 * Exports what a pool does: size, in use, waiting, how long callers waited, and how often they waited in vain. Read at
 * the scrape, not by a timer; the wait is measured around `connect`, which every caller of the pool goes through.
 */
export function observePool(metrics: Metrics, pool: Pool, name: string): void {
  const gauges: readonly (readonly [string, string, () => number])[] = [
    ['netra_pool_max', 'Connections the pool may open', () => pool.options.max],
    ['netra_pool_size', 'Open connections', () => pool.totalCount],
    ['netra_pool_in_use', 'Connections that somebody holds', () => pool.totalCount - pool.idleCount],
    ['netra_pool_waiting', 'Callers that wait for a connection', () => pool.waitingCount],
  ];
  for (const [metric, help, read] of gauges) {
    const collect = function collect(this: Gauge): void {
      this.set({ pool: name }, read());
    };
    metrics.registerMetric(new Gauge({ name: metric, help, labelNames: ['pool'], registers: [], collect }));
  }
  const wait = new Histogram({
    name: 'netra_pool_wait_seconds',
    help: 'How long a caller waited for a connection',
    labelNames: ['pool'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5],
    registers: [metrics],
  });
  const timeouts = new Counter({
    name: 'netra_pool_timeouts_total',
    help: 'Callers that waited for a connection in vain',
    labelNames: ['pool'],
    registers: [metrics],
  });
  timeouts.inc({ pool: name }, 0);
  measureConnect(pool, (seconds, failed) => {
    wait.observe({ pool: name }, seconds);
    if (failed) timeouts.inc({ pool: name });
  });
}

type Connected = (error: Error | undefined, client: unknown, release: unknown) => void;

/** Wraps both forms of `connect`: the pool's own `query` uses the one with a callback. */
function measureConnect(pool: Pool, tell: (seconds: number, failed: boolean) => void): void {
  const connect = pool.connect.bind(pool);
  const measured = (callback: Connected): void => {
    const begun_ms = performance.now();
    connect((error, client, release) => {
      tell((performance.now() - begun_ms) / 1_000, error !== undefined && error !== null);
      callback(error, client, release);
    });
  };
  const either = (callback?: Connected): unknown => {
    if (callback) return measured(callback);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    measured((error, client) => (error ? reject(error) : resolve(client)));
    return promise;
  };
  pool.connect = either as Pool['connect'];
}
