import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, beyond, movementKey, reason, uuid } from './schemas.ts';
import { captureHoldStatement, type HoldCaptured } from './sql/movements.ts';

const input = z.object({
  hold_id: uuid,
  amount_micro: amountMicro,
  reason,
  key: movementKey,
  /** The model that was called, for statements of cost. */
  model: z.string().max(200).nullable().default(null),
  beyond,
});
export type CaptureHoldInput = z.input<typeof input>;

/**
 * Charges a part of a hold that stays open. More than the hold has left is charged too: from what is available,
 * then from the plan's line, and what neither has becomes a debt. Throws `not_found`, `conflict` (ended), `idempotency_key_reused`.
 */
export async function captureHold({ ctx, input: raw }: { ctx: Ctx; input: CaptureHoldInput }): Promise<HoldCaptured> {
  const statement = captureHoldStatement({ org_id: ctx.principal.org_id, ...parseInput(input, raw) });
  return oneRow(await ctx.platform.postgres.call<HoldCaptured>(statement));
}
