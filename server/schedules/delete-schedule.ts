import type { Ctx } from '../platform/index.ts';
import { checkMay } from './change-schedule.ts';
import { findSchedule } from './read-schedule.ts';
import { deleteScheduleStatement } from './sql/schedules.ts';

/** Ends a schedule; runs that it has started go on. Its user may, and owners and admins. Throws `not_found`, `forbidden`. */
export async function deleteSchedule({
  ctx,
  input,
}: {
  ctx: Ctx;
  input: { readonly schedule: string };
}): Promise<void> {
  const { org_id } = ctx.principal;
  await ctx.platform.postgres.inOrg(org_id, async (tx) => {
    checkMay(ctx, await findSchedule(tx, org_id, input.schedule, true), false);
    await tx.rows(deleteScheduleStatement(org_id, input.schedule));
  });
}
