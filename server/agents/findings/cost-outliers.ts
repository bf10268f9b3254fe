import Big from 'big.js';
import type { Answer, UserBurstRow } from '../../analytics/index.ts';
import { nothing, rounded, same } from './arithmetic.ts';
import { count, findingOf, isWorthSaying } from './finding.ts';
import type { Basis, Found } from './finding.ts';

/** Fewer users have no median worth the name, fewer days of one user no usual, fewer calls are no script. */
const min_users = 5;
const min_active_days = 5;
const min_burst_calls = 50;
/** A user who is expensive on more days than this is a large user, not an accident. */
const max_burst_share = 0.25;

/** Users who broke out of their own usual on a few days: often a script that nobody watches. Large users are none. */
export function findCostOutliers({ query, rows }: Answer<UserBurstRow>, basis: Basis): Found {
  const findings = rows.flatMap((row) => {
    if (row.users < min_users || row.active_days < min_active_days || row.burst_calls < min_burst_calls) return [];
    if (row.burst_days > row.active_days * max_burst_share) return [];
    const expected = {
      says: 'beyond the user’s own median day',
      expression: `${row.burst_cost_usd} − ${row.burst_days} × ${row.own_median_day_usd}`,
      value: rounded(new Big(row.burst_cost_usd).minus(new Big(row.own_median_day_usd).times(row.burst_days))),
    };
    if (!isWorthSaying(expected.value, basis)) return [];
    const draft = {
      kind: 'cost_outlier',
      title: `Look into one user’s usage: ${row.user_id}`,
      seen:
        `${row.user_id} made ${count(row.burst_calls)} calls for $${row.burst_cost_usd} on ${row.days.join(', ')}, and ` +
        `costs $${row.own_median_day_usd} on a median day of ${row.active_days}`,
      // It may all have been wanted, and it is over.
      observed: { expected, low: nothing, high: same('high', expected) },
      confidence: 'low',
      effort: 'hours',
      risk: 'The user may be doing what the product is for. It is saved only if it would happen again as often.',
      experiment: 'Ask the user what ran on these days, and put a daily budget on the key.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps: [] };
}
