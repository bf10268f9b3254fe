import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { stopGrantScheduleStatement } from '../sql/grant-schedules.ts';

const input = z.object({ org: z.uuid(), schedule: z.uuid(), by: z.string().min(1).max(200) });
export type StopGrantScheduleInput = z.input<typeof input>;

/** Gives what is due, and then nothing more; what was given stays. Again changes nothing. Throws `not_found`. */
export async function stopGrantSchedule({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: StopGrantScheduleInput;
}): Promise<void> {
  const { org, schedule, by } = parseInput(input, raw);
  await platform.postgres.call(stopGrantScheduleStatement(org, schedule, by));
}
