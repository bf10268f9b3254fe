import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, beyond, movementKey, reason, uuid } from './schemas.ts';
import { settleHoldStatement, type HoldSettled } from './sql/movements.ts';

const input = z.object({ hold_id: uuid, capture_micro: amountMicro, reason, key: movementKey, beyond });
export type SettleHoldInput = z.input<typeof input>;

/**
 * Ends a hold in one transfer: charges `capture_micro` (0 = release all) and gives the rest back to the grants that it
 * came from. Answers with the totals of the hold's life. More than held is charged too, see captureHold. Throws
 * `not_found`, `conflict` (ended under another key), `idempotency_key_reused`.
 */
export async function settleHold({ ctx, input: raw }: { ctx: Ctx; input: SettleHoldInput }): Promise<HoldSettled> {
  const statement = settleHoldStatement({ org_id: ctx.principal.org_id, ...parseInput(input, raw) });
  return oneRow(await ctx.platform.postgres.call<HoldSettled>(statement));
}
