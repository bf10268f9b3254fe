import Big from 'big.js';
import type { Answer, CostSpikeRow } from '../../analytics/index.ts';
import { nothing, rounded, same } from './arithmetic.ts';
import { count, enough_calls, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found } from './finding.ts';

/** Fewer days of a kind have no usual. */
const min_days = 8;
/** More days than this are a rhythm. */
const max_spike_share = 0.15;
const day_ms = 86_400_000;

/** Days on which a feature cost several times its usual, without a rhythm: look what happened. */
export function findCostSpikes({ query, rows }: Answer<CostSpikeRow>, basis: Basis): Found {
  const findings = rows.flatMap((row) => {
    if (row.active_days < min_days || row.median_day_calls < enough_calls) return [];
    if (row.spike_days > row.active_days * max_spike_share || isRhythm(row.days)) return [];
    // As with sizes: where days vary widely there are others on the way there.
    if (new Big(row.smallest_spike_usd).lt(new Big(row.largest_other_day_usd).times(2))) return [];
    const expected = {
      says: `beyond the median ${row.kind_of_day}`,
      expression: `${row.spike_cost_usd} − ${row.spike_days} × ${row.median_day_usd}`,
      value: rounded(new Big(row.spike_cost_usd).minus(new Big(row.median_day_usd).times(row.spike_days))),
    };
    // One user’s doing is that user’s finding.
    if (new Big(row.dearest_users_usd).gte(expected.value.div(2))) return [];
    if (!isWorthSaying(expected.value, basis)) return [];
    const draft = {
      kind: 'cost_spike',
      title: `Find out what happened on ${row.days.join(', ')}: ${named(row.feature)}`,
      seen:
        `${count(row.spike_calls)} calls cost $${row.spike_cost_usd} on ${count(row.spike_days, 'day', 'days')}; the ` +
        `median ${row.kind_of_day} of ${row.active_days} cost $${row.median_day_usd}`,
      observed: { expected, low: nothing, high: same('high', expected) },
      confidence: 'low',
      effort: 'hours',
      risk: 'It may have been wanted: a launch, a migration, a campaign. Saved only if it would happen again as often.',
      experiment: 'Compare these days’ deployments and traffic with the days before; set an alert at twice the usual.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps: [] };
}

/** Days that lie whole weeks or a month apart come back by themselves. */
function isRhythm(days: readonly string[]): boolean {
  const times = days.map((day) => Date.parse(day) / day_ms);
  return times.some((one, place) =>
    times.slice(place + 1).some((other) => (other - one) % 7 === 0 || (other - one >= 28 && other - one <= 31)),
  );
}
