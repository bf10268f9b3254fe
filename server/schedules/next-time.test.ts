import { expect, test } from 'vitest';
import { firstTime, latestDue, nextTime } from './next-time.ts';

const times = (cron: string, time_zone: string, from: string, count: number): string[] => {
  const found: string[] = [];
  let at: Date | null = new Date(from);
  for (let place = 0; place < count && at !== null; place += 1) {
    at = nextTime({ cron, time_zone }, at);
    if (at !== null) found.push(at.toISOString().slice(0, 16));
  }
  return found;
};

// Planted bug that turns it red: open() without its time zone.
test('a time of day that a change of clocks skips comes once, at the end of the gap', () => {
  expect(times('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00Z', 3)).toEqual([
    '2026-03-28T01:30',
    '2026-03-29T01:00',
    '2026-03-30T00:30',
  ]);
});

// Planted bug that turns it red: fixedTimeRule left at its default, and the list of minutes comes twice.
test('a time of day that comes twice is taken once, also in a list; an interval goes on through the night', () => {
  expect(times('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
    '2026-10-25T00:30',
    '2026-10-26T01:30',
  ]);
  expect(times('0,30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 3)).toEqual([
    '2026-10-25T00:00',
    '2026-10-25T00:30',
    '2026-10-26T01:00',
  ]);
  expect(times('*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:00Z', 4)).toEqual([
    '2026-10-25T00:30',
    '2026-10-25T01:00',
    '2026-10-25T01:30',
    '2026-10-25T02:00',
  ]);
});

// Planted bug that turns it red: latestDue() answers `due` always.
test('of the times that were missed the latest counts, and the first if it is the only one', () => {
  const hourly = { cron: '0 * * * *', time_zone: 'UTC' };
  const due = new Date('2026-05-01T05:00Z');
  const latest = (now: string): string => latestDue(hourly, due, new Date(now)).toISOString().slice(0, 16);
  expect(latest('2026-05-01T05:00:00.000Z')).toBe('2026-05-01T05:00');
  expect(latest('2026-05-01T05:59:59.999Z')).toBe('2026-05-01T05:00');
  expect(latest('2026-05-04T17:20Z')).toBe('2026-05-04T17:00');
  expect(latest('2026-05-04T17:00:00.000Z')).toBe('2026-05-04T17:00');
});

test('what is no timetable is refused by its field', () => {
  const refused = [
    ['61 * * * *', 'UTC'],
    ['* * * * * *', 'UTC'],
    ['hello', 'UTC'],
    ['30 2 30 2 *', 'UTC'],
    ['0 0 * * *', 'Mars/Base'],
  ] as const;
  for (const [cron, time_zone] of refused) {
    expect(() => firstTime({ cron, time_zone }, new Date('2026-01-01'))).toThrow(
      expect.objectContaining({ code: 'invalid_request', detail: { field: 'cron', cron, time_zone } }),
    );
  }
});
