import { z } from 'zod';
import { parseInput, type Ctx } from '../platform/index.ts';
import { wallet } from './schemas.ts';
import { readBalanceStatement, type BalanceRow } from './sql/reads.ts';

export interface Balance {
  /** What can be spent now. */
  readonly balance_micro: bigint;
  readonly held_micro: bigint;
  /** Spent beyond all credits; the next grant pays it first. */
  readonly debt_micro: bigint;
  /** Of the line beyond the balance, what is spent or held in its current period. */
  readonly overage_micro: bigint;
}

const input = z.object({ wallet: wallet.default(0) });
export type ReadBalanceInput = z.input<typeof input>;

/** A wallet's balance now; zero for one that was never given credits. */
export async function readBalance({ ctx, input: raw }: { ctx: Ctx; input: ReadBalanceInput }): Promise<Balance> {
  const statement = readBalanceStatement(ctx.principal.org_id, parseInput(input, raw).wallet);
  const [row] = await ctx.platform.postgres.call<BalanceRow>(statement);
  return {
    balance_micro: row?.available_micro ?? 0n,
    held_micro: row?.held_micro ?? 0n,
    debt_micro: row?.debt_micro ?? 0n,
    overage_micro: row?.overage_micro ?? 0n,
  };
}
