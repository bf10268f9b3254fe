import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { listGrantSchedulesStatement, type GrantSchedule } from '../sql/grant-schedules.ts';

const input = z.object({ org: z.uuid(), limit: z.number().int().min(1).max(1000).default(200) });
export type ListGrantSchedulesInput = z.input<typeof input>;

/** What is and was scheduled for an organisation, newest first. For operators. */
export async function listGrantSchedules({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: ListGrantSchedulesInput;
}): Promise<readonly GrantSchedule[]> {
  const { org, limit } = parseInput(input, raw);
  return platform.postgres.inOrg(org, (tx) => tx.rows<GrantSchedule>(listGrantSchedulesStatement(org, limit)));
}
