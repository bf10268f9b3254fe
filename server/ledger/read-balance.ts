import type { Ctx } from '../platform/index.ts';
import { readBalanceStatement, type BalanceRow } from './sql/reads.ts';

export interface Balance {
  /** What can be spent now. */
  readonly balance_micro: bigint;
  readonly held_micro: bigint;
  /** Spent beyond all credits; the next grant pays it first. */
  readonly debt_micro: bigint;
}

/** The balance now; zero for an organisation that was never given credits. */
export async function readBalance({ ctx }: { ctx: Ctx; input: Record<never, never> }): Promise<Balance> {
  const [row] = await ctx.platform.postgres.call<BalanceRow>(readBalanceStatement(ctx.principal.org_id));
  return {
    balance_micro: row?.available_micro ?? 0n,
    held_micro: row?.held_micro ?? 0n,
    debt_micro: row?.debt_micro ?? 0n,
  };
}
