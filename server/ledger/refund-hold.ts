import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, movementKey, reason, uuid } from './schemas.ts';
import { refundHoldStatement, type HoldRefunded } from './sql/movements.ts';

const input = z.object({ hold_id: uuid, amount_micro: amountMicro.min(1n), reason, key: movementKey });
export type RefundHoldInput = z.input<typeof input>;

/**
 * Gives back what an ended hold was charged, to the grants of its own receipt, last spent first; a part that is still a
 * debt lowers the debt. Throws `not_found`, `conflict` (still active, or more than was charged and not yet refunded),
 * `idempotency_key_reused`. For operators: no route leads here.
 */
export async function refundHold({ ctx, input: raw }: { ctx: Ctx; input: RefundHoldInput }): Promise<HoldRefunded> {
  const { hold_id, amount_micro, reason: why, key } = parseInput(input, raw);
  const statement = refundHoldStatement(ctx.principal.org_id, hold_id, amount_micro, why, key);
  return oneRow(await ctx.platform.postgres.call<HoldRefunded>(statement));
}
