import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import type { Run } from './run.ts';
import { selectRun } from './sql/run.ts';

/** A run of the caller's organisation. Throws `not_found`, also for one of another organisation (T1). */
export async function readRun({ ctx, input }: { ctx: Ctx; input: { readonly run: string } }): Promise<Run> {
  const { org_id } = ctx.principal;
  const [run] = await ctx.platform.postgres.inOrg(org_id, (tx) => tx.rows<Run>(selectRun(org_id, input.run)));
  if (!run) throw new NetraError('not_found', 'There is no such run.');
  return run;
}
