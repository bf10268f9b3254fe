import type { Answer, OffPeakRow } from '../../analytics/index.ts';
import { same, share } from './arithmetic.ts';
import { count, findingOf, isWorthSaying, named } from './finding.ts';
import type { Basis, Found } from './finding.ts';
import { quietWindow, type HourWindow } from './quiet-window.ts';
import { worthToday } from './worth-today.ts';

/** Makers that publish a batch API at half the price; of others nothing is known. The experiment confirms it. */
const batch_makers: ReadonlySet<string> = new Set(['openai', 'anthropic', 'google', 'mistral', 'azure', 'groq']);
const batch_price = '0.5';
const min_calls = 50;
const min_days = 5;
/** A job runs nearly every day, weekends as well; people do not. */
const min_day_share = 0.9;
/** Others’ calls in the hours of a job, at most: a third of what these hours would have if all were alike. */
const max_others_share = 1 / 3;

/** Work at fixed hours that no user waits for: a batch API does it for half. */
export function findBatchWork({ query, rows }: Answer<OffPeakRow>, basis: Basis): Found {
  const findings = rows.flatMap((row) => {
    const price = basis.priceOf(row.model);
    if (price === null || !batch_makers.has(price.provider)) return [];
    const window = quietWindow(row.calls_by_hour);
    if (window === null || row.calls < min_calls || row.active_days < min_days) return [];
    if (!nobodyWaits(row, window, rows, basis)) return [];
    const { steps, worth } = worthToday(basis, row.model, row.cost_usd, {
      input: row.input_tokens,
      cached: row.cached_input_tokens,
      output: row.output_tokens,
    });
    const expected = share('half the price', worth, batch_price);
    if (!isWorthSaying(expected.value, basis)) return [];
    const draft = {
      kind: 'batch',
      title: `Use a batch API: ${named(row.feature)}, ${row.model}`,
      seen:
        `${count(window.calls)} of ${count(row.calls)} calls on ${count(row.active_days, 'day', 'days')} ran between ` +
        `${hour(window.from)} and ${hour(window.to)} UTC, ${row.users === 0 ? 'for no named user' : 'for one user'}, ` +
        `and all cost $${row.cost_usd}`,
      steps: [...steps, { ...worth, says: 'what these calls cost' }],
      observed: {
        expected,
        low: share('low, if half of it cannot wait', expected, '0.5'),
        high: same('high', expected),
      },
      confidence: 'medium',
      effort: 'days',
      risk: 'Batches may take up to a day; whoever needs the answer sooner has to check. Half price is assumed.',
      experiment: 'Send one day’s work through the provider’s batch API and compare bill and finishing time.',
    } as const;
    return [findingOf(query, row, draft, basis)];
  });
  return { findings, gaps: [] };
}

/**
 * No user is named although others’ calls name theirs; or it runs nearly every day in hours that are quiet for the
 * organisation itself. By UTC alone, an office on the other side of the world would look like a job.
 */
function nobodyWaits(row: OffPeakRow, window: HourWindow, rows: readonly OffPeakRow[], basis: Basis): boolean {
  if (row.users > 1) return false;
  if (row.users === 0 && basis.names_users) return true;
  const daily = row.active_days >= basis.observed_days * min_day_share;
  const others = rows.filter((other) => other !== row).map(({ calls_by_hour }) => calls_by_hour);
  const inWindow = others.reduce((sum, hours) => sum + callsIn(hours, window), 0);
  const all = others.reduce((sum, hours) => sum + hours.reduce((one, calls) => one + calls, 0), 0);
  return daily && all >= min_calls && inWindow / all <= (window.hours / 24) * max_others_share;
}

function callsIn(hours: readonly number[], { from, hours: length }: HourWindow): number {
  return Array.from({ length }, (_, place) => hours[(from + place) % 24] ?? 0).reduce((sum, calls) => sum + calls, 0);
}

function hour(of_day: number): string {
  return `${String(of_day).padStart(2, '0')}:00`;
}
