import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, movementKey, reason, uuid } from './schemas.ts';
import { settleHoldStatement, type HoldSettled } from './sql/movements.ts';

const input = z.object({ hold_id: uuid, capture_micro: amountMicro, reason, key: movementKey });
export type SettleHoldInput = z.input<typeof input>;

/**
 * Ends a hold in one transfer: charges `capture_micro` (0 = release all) and gives the rest back to the grants that it
 * came from. Answers with the totals of the hold's life. More than held is charged too, see captureHold. Throws
 * `not_found`, `conflict` (ended under another key), `idempotency_key_reused`.
 */
export async function settleHold({ ctx, input: raw }: { ctx: Ctx; input: SettleHoldInput }): Promise<HoldSettled> {
  const { hold_id, capture_micro, reason: why, key } = parseInput(input, raw);
  const statement = settleHoldStatement(ctx.principal.org_id, hold_id, capture_micro, why, key);
  return oneRow(await ctx.platform.postgres.call<HoldSettled>(statement));
}
