import type { CreditMode, Statement } from '../../platform/index.ts';
import type { Lease } from '../../runs/index.ts';

export interface BegunRow {
  readonly hold_id: string;
  readonly fee_micro: bigint;
}

/** Holds a run's fee under its lease; a second time it finds what the first one held. */
export function beginRunStatement(
  { org_id, run_id, lease_token }: Lease,
  hold_id: string,
  credits: CreditMode,
): Statement {
  return {
    name: 'agents.begin_run',
    text: 'select hold_id, fee_micro from netra.begin_run($1, $2, $3, $4, $5)',
    values: [org_id, run_id, lease_token, hold_id, credits],
  };
}
