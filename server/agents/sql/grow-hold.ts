import type { CreditMode, Statement } from '../../platform/index.ts';
import type { Lease } from '../../runs/index.ts';

export interface GrownRow {
  /** False: the call could take the run past its cap, and nothing was held for it. */
  readonly within: boolean;
  /** Held and spent over the hold’s life. */
  readonly held_micro: bigint;
  readonly spent_micro: bigint;
}

/** Reserves a run’s fee and one model call, under its lease; in migrations/postgres/0020_endings.up.sql. */
export function growHoldStatement(
  lease: Lease,
  grow: {
    readonly hold_id: string;
    readonly fee_micro: bigint;
    readonly ceiling_micro: bigint;
    readonly max_micro: bigint | null;
    readonly credits: CreditMode;
  },
): Statement {
  const { org_id, run_id, lease_token } = lease;
  const { hold_id, fee_micro, ceiling_micro, max_micro, credits } = grow;
  return {
    name: 'agents.grow_hold',
    text: 'select within, held_micro, spent_micro from netra.grow_run($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [org_id, run_id, lease_token, hold_id, fee_micro, ceiling_micro, max_micro, credits],
  };
}
