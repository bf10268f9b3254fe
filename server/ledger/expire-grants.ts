import { oneRow, type Ctx } from '../platform/index.ts';
import { expireGrantsStatement } from './sql/movements.ts';

/** Books what remains of the organisation's grants that have ended: available → expired. */
export async function expireGrants({ ctx }: { ctx: Ctx; input: Record<never, never> }): Promise<{
  readonly expired_micro: bigint;
}> {
  const statement = expireGrantsStatement(ctx.principal.org_id);
  return oneRow(await ctx.platform.postgres.call<{ expired_micro: bigint }>(statement));
}
