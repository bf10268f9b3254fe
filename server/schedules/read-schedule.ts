import { NetraError } from '@netra/contract';
import type { Ctx, Transaction } from '../platform/index.ts';
import { selectSchedule, type ScheduleRow } from './sql/schedules.ts';

/** One schedule of the caller's organisation. Throws `not_found`. */
export async function readSchedule({
  ctx,
  input,
}: {
  ctx: Ctx;
  input: { readonly schedule: string };
}): Promise<ScheduleRow> {
  const { org_id } = ctx.principal;
  return ctx.platform.postgres.inOrg(org_id, (tx) => findSchedule(tx, org_id, input.schedule, false));
}

/** `lock`: nobody else changes it until the transaction ends. */
export async function findSchedule(
  tx: Transaction,
  org_id: string,
  schedule: string,
  lock: boolean,
): Promise<ScheduleRow> {
  const [row] = await tx.rows<ScheduleRow>(selectSchedule(org_id, schedule, lock));
  if (!row) throw new NetraError('not_found', 'There is no such schedule.');
  return row;
}
