import type { Ctx } from '../platform/index.ts';
import type { Run } from './run.ts';
import { selectLatestRun } from './sql/run.ts';

/** The run that was asked for last in a conversation; null if there is none, or no such conversation here (T1). */
export async function readLatestRun({
  ctx,
  input,
}: {
  ctx: Ctx;
  input: { readonly thread: string };
}): Promise<Run | null> {
  const { org_id } = ctx.principal;
  const [run] = await ctx.platform.postgres.inOrg(org_id, (tx) => tx.rows<Run>(selectLatestRun(org_id, input.thread)));
  return run ?? null;
}
