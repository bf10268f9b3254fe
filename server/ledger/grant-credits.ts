import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, movementKey, reason } from './schemas.ts';
import { grantCreditsStatement, type CreditsGranted } from './sql/movements.ts';

const input = z.object({
  amount_micro: amountMicro.min(1n),
  source: z.enum(['purchase', 'promotion', 'adjustment']),
  /** Lower burns first; the default of the source puts promotional credits before a plan's, and bought ones last. */
  priority: z.number().int().min(0).max(1000).nullable().default(null),
  expires_at: z.date().nullable().default(null),
  reason,
  key: movementKey,
});
export type GrantCreditsInput = z.input<typeof input>;

/**
 * Gives credits; a debt is paid from them first. For operators and for payments that arrived: no route leads here.
 * The credits of a plan are given by plans/, once a period.
 */
export async function grantCredits({
  ctx,
  input: raw,
}: {
  ctx: Ctx;
  input: GrantCreditsInput;
}): Promise<CreditsGranted> {
  const { key, ...grant } = parseInput(input, raw);
  const { org_id } = ctx.principal;
  // The keys of a plan's grants begin with `period:` and `upgrade:`; nobody may take one of them.
  const statement = grantCreditsStatement({ org_id, grant_id: ctx.platform.ids.uuid(), ...grant, key: `given:${key}` });
  return oneRow(await ctx.platform.postgres.call<CreditsGranted>(statement));
}
