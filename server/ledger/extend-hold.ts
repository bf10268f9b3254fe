import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, beyond, movementKey, uuid } from './schemas.ts';
import { extendHoldStatement, type HoldExtended } from './sql/movements.ts';

const input = z.object({ hold_id: uuid, by_micro: amountMicro, key: movementKey, beyond });
export type ExtendHoldInput = z.input<typeof input>;

/** Grows an active hold. Throws `insufficient_credits`, `not_found`, `conflict` (ended), `idempotency_key_reused`. */
export async function extendHold({ ctx, input: raw }: { ctx: Ctx; input: ExtendHoldInput }): Promise<HoldExtended> {
  const { hold_id, by_micro, key, beyond: line } = parseInput(input, raw);
  const statement = extendHoldStatement(ctx.principal.org_id, hold_id, by_micro, key, line);
  return oneRow(await ctx.platform.postgres.call<HoldExtended>(statement));
}
