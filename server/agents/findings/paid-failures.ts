import Big from 'big.js';
import type { Answer, RetryRow } from '../../analytics/index.ts';
import { count, isWorthSaying, lowerConfidence, monthArithmetic, named, perMonth } from './finding.ts';
import type { Basis, Finding } from './finding.ts';

/** Failed calls that were paid, and then made again. */
export function findPaidFailures({ query, rows }: Answer<RetryRow>, basis: Basis): Finding[] {
  return rows.flatMap((row): Finding[] => {
    const cost = new Big(row.failed_cost_usd);
    if (!isWorthSaying(cost, basis)) return [];
    const errors = row.error === '' ? '' : ` (${row.error})`;
    return [
      {
        kind: 'retries_paid',
        title: `Stop paying for failed calls: ${named(row.feature)}, ${row.model}`,
        evidence:
          `${count(row.failed_calls)} of ${count(row.calls)} calls failed${errors} and were paid; ` +
          `${count(row.retry_calls)} were made again (query ${query.name}).`,
        evidence_rows: [{ query: query.name, row: { ...row } }],
        arithmetic: `cost of the failed calls: ${monthArithmetic(cost, basis)}`,
        // Not every failure can be avoided.
        saving_usd_month: perMonth({ low: cost.times('0.5'), expected: cost, high: cost }, basis),
        confidence: lowerConfidence('medium', basis),
        effort: 'days',
        risk: 'Timeouts that are too short turn slow answers into failures.',
        experiment:
          'Raise the timeout, retry with backoff only on errors that may pass, and count failures for a week.',
      },
    ];
  });
}
