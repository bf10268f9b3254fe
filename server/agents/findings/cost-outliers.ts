import Big from 'big.js';
import type { Answer, UserRow } from '../../analytics/index.ts';
import { count, isWorthSaying, monthArithmetic, perMonth, usd } from './finding.ts';
import type { Basis, Finding } from './finding.ts';

/** Several times the median is more than busy; fewer users than this have no median worth the name. */
const min_times_median = 3;
const min_users = 5;

/** Users whose cost is several times the median user's: often a script that nobody watches. */
export function findCostOutliers({ query, rows }: Answer<UserRow>, basis: Basis): Finding[] {
  if (rows.length < min_users) return [];
  return rows.flatMap((row): Finding[] => {
    const excess = new Big(row.cost_usd).minus(row.median_cost_usd);
    if (row.times_median_cost < min_times_median || !isWorthSaying(excess, basis)) return [];
    return [
      {
        kind: 'cost_outlier',
        title: `Look into one user’s usage: ${row.user_id}`,
        evidence:
          `${count(row.calls)} calls of ${row.user_id} cost $${usd(new Big(row.cost_usd))}, ` +
          `${row.times_median_cost} × the median user’s (query ${query.name}).`,
        evidence_rows: [{ query: query.name, row: { ...row } }],
        arithmetic: `$${row.cost_usd} − median $${row.median_cost_usd}: ${monthArithmetic(excess, basis)}`,
        // It may all be wanted.
        saving_usd_month: perMonth({ low: new Big(0), expected: excess, high: excess }, basis),
        confidence: 'low',
        effort: 'hours',
        risk: 'The user may be doing what the product is for.',
        experiment: 'Ask the user, and put a daily budget on the key for a week.',
      },
    ];
  });
}
