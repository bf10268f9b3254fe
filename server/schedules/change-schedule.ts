import { changeScheduleBody, NetraError } from '@netra/contract';
import { z } from 'zod';
import { checkRequest } from '../agents/index.ts';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { firstTime } from './next-time.ts';
import { findSchedule } from './read-schedule.ts';
import { updateSchedule, type ScheduleRow } from './sql/schedules.ts';

const changeScheduleInput = changeScheduleBody.extend({ schedule: z.uuid() });
type Change = Omit<z.output<typeof changeScheduleInput>, 'schedule'>;

/**
 * Changes a schedule, pauses it or lets it go on, from the next time that lies ahead. What it does, its user alone
 * changes: it runs by their rights. Owners and admins may pause it and let it go on. Throws `not_found`, `forbidden`,
 * `invalid_request`, `conflict` for one that has stopped.
 */
export async function changeSchedule({ ctx, input: raw }: { ctx: Ctx; input: unknown }): Promise<ScheduleRow> {
  const { schedule, ...change } = parseInput(changeScheduleInput, raw);
  const { platform, principal } = ctx;
  return platform.postgres.inOrg(principal.org_id, async (tx) => {
    const row = await findSchedule(tx, principal.org_id, schedule, true);
    checkMay(
      ctx,
      row,
      Object.keys(change).some((member) => member !== 'paused'),
    );
    if (row.state === 'stopped') throw new NetraError('conflict', 'The schedule has stopped; make a new one.');
    return oneRow(await tx.rows<ScheduleRow>(updateSchedule(principal.org_id, changed(ctx, row, change))));
  });
}

/** A schedule's own user, and who looks after the organisation. */
export function checkMay({ principal }: Ctx, { user }: ScheduleRow, rewrites: boolean): void {
  if (principal.role !== 'viewer' && principal.user_id === user) return;
  if (!rewrites && (principal.role === 'owner' || principal.role === 'admin')) return;
  throw new NetraError('forbidden', 'The schedule is another member’s: owners and admins can pause or delete it.');
}

function changed(ctx: Ctx, row: ScheduleRow, change: Change): ScheduleRow {
  const { paused = row.state === 'paused', max_credits_micro: cap, ...rest } = change;
  const asked = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const next = { ...row, ...asked, state: paused ? 'paused' : 'active' } as const;
  checkRequest(ctx, next);
  // Also of one that is paused: what is no timetable is refused now, not when it goes on.
  const next_at = firstTime(next, new Date(ctx.platform.clock.nowMs()));
  const kept = cap === undefined ? row.max_credits_micro : null;
  return {
    ...next,
    max_credits_micro: typeof cap === 'string' ? BigInt(cap) : kept,
    next_at: paused ? null : next_at,
  };
}
