import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { parseInput, type Ctx } from '../../../platform/index.ts';
import { requirePayer } from '../schemas.ts';
import { readPlanCheckoutStatement, type PlanCheckoutRow } from '../sql/plan-checkouts.ts';

const input = z.object({ checkout_id: z.uuid() });

/** One checkout of a plan, and how its months stand. Throws `forbidden`, `not_found`. */
export async function readPlanCheckout({
  ctx,
  input: raw,
}: {
  ctx: Ctx;
  input: z.input<typeof input>;
}): Promise<PlanCheckoutRow> {
  requirePayer(ctx);
  const { checkout_id } = parseInput(input, raw);
  const { org_id } = ctx.principal;
  const [checkout] = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<PlanCheckoutRow>(readPlanCheckoutStatement(org_id, checkout_id)),
  );
  if (checkout === undefined)
    throw new NetraError('not_found', 'There is no such checkout.', { checkout: checkout_id });
  return checkout;
}
