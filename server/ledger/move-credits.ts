import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { amountMicro, movementKey, reason, wallet } from './schemas.ts';
import { moveCreditsStatement, type CreditsMoved } from './sql/movements.ts';

const input = z.object({ from: wallet, to: wallet, amount_micro: amountMicro.min(1n), reason, key: movementKey });
export type MoveCreditsInput = z.input<typeof input>;

/**
 * Moves credits between two wallets of the organisation; they keep their priority and expiry. Throws
 * `insufficient_credits` (credits of a line do not move), `not_found`, `idempotency_key_reused`. For operators: no route
 * leads here.
 */
export async function moveCredits({ ctx, input: raw }: { ctx: Ctx; input: MoveCreditsInput }): Promise<CreditsMoved> {
  const statement = moveCreditsStatement({ org_id: ctx.principal.org_id, ...parseInput(input, raw) });
  return oneRow(await ctx.platform.postgres.call<CreditsMoved>(statement));
}
