import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, movementKey, reason, uuid } from './schemas.ts';
import { captureHoldStatement, type HoldCaptured } from './sql/movements.ts';

const input = z.object({ hold_id: uuid, amount_micro: amountMicro, reason, key: movementKey });
export type CaptureHoldInput = z.input<typeof input>;

/**
 * Charges a part of a hold that stays open. More than the hold has left is charged too: from what is available, and
 * what is not there becomes a debt. Throws `not_found`, `conflict` (ended), `idempotency_key_reused`.
 */
export async function captureHold({ ctx, input: raw }: { ctx: Ctx; input: CaptureHoldInput }): Promise<HoldCaptured> {
  const { hold_id, amount_micro, reason: why, key } = parseInput(input, raw);
  const statement = captureHoldStatement(ctx.principal.org_id, hold_id, amount_micro, why, key);
  return oneRow(await ctx.platform.postgres.call<HoldCaptured>(statement));
}
