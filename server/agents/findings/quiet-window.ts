/** Hours of a day, UTC, around midnight where they have to: `from` is included, `to` is not. */
export interface HourWindow {
  readonly from: number;
  readonly to: number;
  readonly hours: number;
  readonly calls: number;
}

const max_hours = 6;
const min_share = 0.95;

/** The shortest window of at most six hours that holds nearly all calls; null if they are spread wider. */
export function quietWindow(calls_by_hour: readonly number[]): HourWindow | null {
  const all = calls_by_hour.reduce((sum, calls) => sum + calls, 0);
  for (let hours = 1; hours <= max_hours; hours += 1) {
    for (let from = 0; from < 24; from += 1) {
      let calls = 0;
      for (let place = 0; place < hours; place += 1) calls += calls_by_hour[(from + place) % 24] ?? 0;
      if (all > 0 && calls >= all * min_share) return { from, to: (from + hours) % 24, hours, calls };
    }
  }
  return null;
}
