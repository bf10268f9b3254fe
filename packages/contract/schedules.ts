import { z } from 'zod';
import { amountMicro, microCredits } from './events.ts';
import { ifBusy } from './turns.ts';

const at = z.iso.datetime();
const cron = z.string().trim().min(1).max(200);
const wholeNumber = z.string().regex(/^\d+$/);
const timeZone = z.string().min(1).max(64);

/**
 * A run at each time of `cron`: minute, hour, day of month, month, day of week, in `time_zone` (IANA). A time that a
 * change of clocks skips comes at the moment after the gap; one that comes twice is taken once.
 */
export const createScheduleBody = z.strictObject({
  agent: z.string().min(1).max(64),
  input: z.unknown(),
  cron,
  time_zone: timeZone.default('UTC'),
  /** Absent = each run gets a thread of its own. */
  thread: z.uuid().optional(),
  if_busy: ifBusy.default('enqueue'),
  /** The most that each run may cost. */
  max_credits_micro: amountMicro.optional(),
});
export type CreateScheduleBody = z.input<typeof createScheduleBody>;

/** What is absent stays. Going on again begins with the next time: what was missed in a pause is not made up for. */
export const changeScheduleBody = z.strictObject({
  input: z.unknown().optional(),
  cron: cron.optional(),
  time_zone: timeZone.optional(),
  if_busy: ifBusy.optional(),
  max_credits_micro: amountMicro.nullable().optional(),
  paused: z.boolean().optional(),
});
export type ChangeScheduleBody = z.input<typeof changeScheduleBody>;

export const schedule = z.object({
  schedule: z.uuid(),
  /** Whose runs they are: their rights count, and when they leave it stops. */
  user: z.string(),
  agent: z.string(),
  input: z.unknown(),
  cron: z.string(),
  time_zone: z.string(),
  thread: z.uuid().nullable(),
  if_busy: ifBusy,
  max_credits_micro: microCredits.nullable(),
  /** stopped: its user is no longer a member, or the expression has no further time. */
  state: z.enum(['active', 'paused', 'stopped']),
  next_at: at.nullable(),
  last_due_at: at.nullable(),
  last_run: z.uuid().nullable(),
  /** Why the last due time started no run; null when it did. */
  last_refusal: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** How many due times started a run, and how many did not: decimal strings. */
  started: wholeNumber,
  refused: wholeNumber,
  created_at: at,
});
export type Schedule = z.infer<typeof schedule>;
