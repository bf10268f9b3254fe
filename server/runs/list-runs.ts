import type { Ctx } from '../platform/index.ts';
import type { Run } from './run.ts';
import { selectRuns } from './sql/run.ts';

/** The organisation's runs, newest first; `cursor` is the last run of the page before. */
export async function listRuns({
  ctx,
  input,
}: {
  ctx: Ctx;
  input: { readonly limit: number; readonly cursor?: string | undefined };
}): Promise<{ readonly items: readonly Run[]; readonly next: string | null }> {
  const { org_id } = ctx.principal;
  const statement = selectRuns(org_id, input.cursor ?? null, input.limit + 1);
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) => tx.rows<Run>(statement));
  const items = rows.slice(0, input.limit);
  return { items, next: rows.length > items.length ? (items.at(-1)?.run_id ?? null) : null };
}
