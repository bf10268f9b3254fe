import type { Answer, RetryRow } from '../../analytics/index.ts';
import { same, share } from './arithmetic.ts';
import { count, enough_calls, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found } from './finding.ts';
import { worthToday } from './worth-today.ts';

/** Every provider fails now and then. */
const min_share = 0.02;

/** Calls that were paid and of no use: failed, or made again although they had worked. */
export function findPaidFailures({ query, rows }: Answer<RetryRow>, basis: Basis): Found {
  const findings = rows.flatMap((row) => {
    if (row.wasted_calls < enough_calls || row.wasted_calls / row.calls < min_share) return [];
    const { steps, worth } = worthToday(basis, row.model, row.wasted_cost_usd, {
      input: row.wasted_input_tokens,
      cached: row.wasted_cached_input_tokens,
      output: row.wasted_output_tokens,
    });
    if (!isWorthSaying(worth.value, basis)) return [];
    const errors = row.error === '' ? '' : ` (${row.error})`;
    const draft = {
      kind: 'retries_paid',
      title: `Stop paying for failed calls: ${named(row.feature)}, ${row.model}`,
      seen:
        `of ${count(row.calls)} calls ${count(row.failed_calls)} failed${errors}, and ${count(row.dropped_calls)} ` +
        `worked but were made again; ${count(row.wasted_calls)} of them cost $${row.wasted_cost_usd}`,
      steps,
      observed: {
        expected: { ...worth, says: 'calls of no use' },
        low: share('low, if half cannot be avoided', worth, '0.5'),
        high: same('high', worth),
      },
      confidence: 'medium',
      effort: 'days',
      risk: 'Timeouts that are too short turn slow answers into failures.',
      experiment: 'Raise the timeout, retry with backoff only on errors that may pass, and count failures for a week.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps: [] };
}
