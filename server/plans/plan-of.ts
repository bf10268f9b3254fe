import { oneRow, type Ctx } from '../platform/index.ts';
import { planOfStatement, type PlanTerms } from './sql/plans.ts';

/** The organisation's plan and limits; a period that has ended rolls forward first. Throws `not_found` without one. */
export async function planOf({ ctx }: { ctx: Ctx; input: Record<never, never> }): Promise<PlanTerms> {
  return oneRow(await ctx.platform.postgres.call<PlanTerms>(planOfStatement(ctx.principal.org_id)));
}
