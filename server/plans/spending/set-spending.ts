import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { parseInput, type Ctx } from '../../platform/index.ts';
import { readSpending, type Spending } from './read-spending.ts';
import { setSpendingCapsStatement } from './sql/spending.ts';

const cap = z
  .bigint()
  .min(0n)
  .max(10n ** 18n)
  .nullable();
const input = z.object({ overage_micro: cap, total_micro: cap, member_micro: cap });
export type SetSpendingInput = z.input<typeof input>;

/**
 * Replaces the organisation's caps of a period, in micro-credits; null takes one off. In force for the next movement,
 * on every node. Each change is kept, with who made it. Only an owner or admin may; throws `forbidden`.
 */
export async function setSpending({ ctx, input: raw }: { ctx: Ctx; input: SetSpendingInput }): Promise<Spending> {
  const { org_id, user_id, role } = ctx.principal;
  if (role !== 'owner' && role !== 'admin') {
    throw new NetraError('forbidden', 'Only an owner or admin can change what may be spent.');
  }
  await ctx.platform.postgres.call(setSpendingCapsStatement(org_id, parseInput(input, raw), user_id));
  return readSpending({ ctx, input: {} });
}
