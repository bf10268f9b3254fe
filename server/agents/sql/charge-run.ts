import type { Statement } from '../../platform/index.ts';
import type { Lease } from '../../runs/index.ts';

export interface ChargedRow {
  readonly balance_micro: bigint;
}

/** Charges a run's hold under its lease; in migrations/postgres/0020_endings.up.sql. */
export function chargeRunStatement(
  lease: Lease,
  charge: {
    readonly hold_id: string;
    readonly amount_micro: bigint;
    readonly reason: string;
    readonly key: string;
    readonly model: string;
    readonly beyond: 'plan' | 'observe';
  },
): Statement {
  const { org_id, run_id, lease_token } = lease;
  const { hold_id, amount_micro, reason, key, model, beyond } = charge;
  return {
    name: 'agents.charge_run',
    text: 'select balance_micro from netra.charge_run($1, $2, $3, $4, $5, $6, $7, $8, $9)',
    values: [org_id, run_id, lease_token, hold_id, amount_micro, reason, key, model, beyond],
  };
}
