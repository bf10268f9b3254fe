import { pageQuery } from '@netra/contract';
import { z } from 'zod';
import { parseInput, type Ctx } from '../platform/index.ts';
import { selectSchedules, type ScheduleRow } from './sql/schedules.ts';

const listSchedulesInput = pageQuery.extend({ cursor: z.uuid('a cursor as a page before gave it').optional() });

/** The organisation's schedules, oldest first. */
export async function listSchedules({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<{
  readonly items: readonly ScheduleRow[];
  readonly next: string | null;
}> {
  const { limit, cursor = null } = parseInput(listSchedulesInput, input);
  const { org_id } = ctx.principal;
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<ScheduleRow>(selectSchedules(org_id, cursor, limit + 1)),
  );
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? (items.at(-1)?.schedule ?? null) : null };
}
