import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, beyond, movementKey, reason, uuid, wallet } from './schemas.ts';
import { placeHoldStatement, type HoldPlaced } from './sql/movements.ts';

const input = z.object({
  amount_micro: amountMicro,
  reason,
  agent: z.string().max(64).nullable().default(null),
  run_id: uuid.nullable().default(null),
  key: movementKey,
  /** Who caused it: what a cap per member counts. */
  user_id: z.string().max(200).nullable().default(null),
  wallet: wallet.default(0),
  /** From then on the sweeper may end it, if nobody has. */
  expires_at: z.date().nullable().default(null),
  beyond,
});
export type PlaceHoldInput = z.input<typeof input>;

/**
 * Reserves credits: available → held; what is missing comes from the line that the plan has, if any. Throws
 * `insufficient_credits` (nothing changes) or, if the key was used for another hold, `idempotency_key_reused`. The same request again answers with the hold it opened the first time.
 */
export async function placeHold({ ctx, input: raw }: { ctx: Ctx; input: PlaceHoldInput }): Promise<HoldPlaced> {
  const { org_id } = ctx.principal;
  const hold_id = ctx.platform.ids.uuid();
  const statement = placeHoldStatement({ org_id, hold_id, ...parseInput(input, raw) });
  return oneRow(await ctx.platform.postgres.call<HoldPlaced>(statement));
}
