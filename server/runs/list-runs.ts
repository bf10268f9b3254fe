import { runsQuery } from '@netra/contract';
import { parseInput, type Ctx } from '../platform/index.ts';
import type { Run } from './run.ts';
import { selectRuns } from './sql/run.ts';

/** The organisation's runs, newest first unless asked otherwise, of one state or thread if asked; `cursor` is the last run of the page before. */
export async function listRuns({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<{
  readonly items: readonly Run[];
  readonly next: string | null;
}> {
  const { org_id } = ctx.principal;
  const { limit, cursor = null, order, ...only } = parseInput(runsQuery, input);
  const statement = selectRuns(org_id, { cursor, order, limit: limit + 1 }, only);
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) => tx.rows<Run>(statement));
  const items = rows.slice(0, limit);
  return { items, next: rows.length > items.length ? (items.at(-1)?.run_id ?? null) : null };
}
