import type { CreditMode, Statement } from '../../platform/index.ts';

export interface GrownRow {
  /** False: the call could take the run past its cap, and nothing was held for it. */
  readonly within: boolean;
  /** Held and spent over the hold’s life. */
  readonly held_micro: bigint;
  readonly spent_micro: bigint;
}

/** Reserves a run’s fee and one model call; in migrations/postgres/0013_spending.up.sql. */
export function growHoldStatement(grow: {
  readonly org_id: string;
  readonly hold_id: string;
  readonly fee_micro: bigint;
  readonly ceiling_micro: bigint;
  readonly max_micro: bigint | null;
  readonly credits: CreditMode;
}): Statement {
  const { org_id, hold_id, fee_micro, ceiling_micro, max_micro, credits } = grow;
  return {
    name: 'agents.grow_hold',
    text: 'select within, held_micro, spent_micro from netra.grow_hold($1, $2, $3, $4, $5, $6)',
    values: [org_id, hold_id, fee_micro, ceiling_micro, max_micro, credits],
  };
}
