import { NetraError } from '@netra/contract';
import { Cron } from 'croner';

/** A cron expression in a time zone. */
export interface Timetable {
  readonly cron: string;
  readonly time_zone: string;
}

function open({ cron, time_zone }: Timetable): Cron {
  // no-wildcard: what names its times of day, also as a list or range, keeps to the clock on the wall. In a gap it comes
  // at the end of the gap, and an hour that comes twice counts once. Every half hour stays every half hour.
  return new Cron(cron, { timezone: time_zone, mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true });
}

/** The first time after `after`; null if there is none. */
export function nextTime(timetable: Timetable, after: Date): Date | null {
  return open(timetable).nextRun(after);
}

/** The last time that is due at `now`, of those since `due`. */
export function latestDue(timetable: Timetable, due: Date, now: Date): Date {
  // Exclusive of its reference, and times are whole minutes.
  const latest = open(timetable).previousRuns(1, new Date(now.getTime() + 1_000))[0];
  return latest !== undefined && latest > due && latest <= now ? latest : due;
}

/** The first time after `after`. Throws `invalid_request` for what is no timetable, or one without any time. */
export function firstTime(timetable: Timetable, after: Date): Date {
  let next: Date | null;
  try {
    next = nextTime(timetable, after);
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, 200) : '';
    throw new NetraError('invalid_request', `This is no timetable: ${reason}`, { field: 'cron', ...timetable });
  }
  if (next !== null) return next;
  throw new NetraError('invalid_request', 'No time fits this cron expression.', { field: 'cron', ...timetable });
}
