import { oneRow, type Ctx } from '../../platform/index.ts';
import { readSpendingStatement, type SpendingRow } from './sql/spending.ts';

/** What an organisation allows itself in the current period, and what of it is used: by all, and by the caller. */
export interface Spending {
  readonly period_start: Date;
  readonly period_end: Date;
  readonly caps: Pick<SpendingRow, 'overage_micro' | 'total_micro' | 'member_micro' | 'set_by' | 'set_at'>;
  readonly overage: SpendingRow['overage'];
  readonly overage_usd_credit: string | null;
  readonly overage_used_micro: bigint;
  /** Null where no cap makes it be counted. */
  readonly total_used_micro: bigint | null;
  readonly member_used_micro: bigint | null;
}

/** Throws `not_found` without a subscription. */
export async function readSpending({ ctx }: { ctx: Ctx; input: Record<never, never> }): Promise<Spending> {
  const { org_id, user_id } = ctx.principal;
  const row = oneRow(await ctx.platform.postgres.call<SpendingRow>(readSpendingStatement(org_id, user_id)));
  const { overage_micro, total_micro, member_micro, set_by, set_at, usd_credit, ...rest } = row;
  return {
    ...rest,
    overage_usd_credit: usd_credit,
    caps: { overage_micro, total_micro, member_micro, set_by, set_at },
  };
}
