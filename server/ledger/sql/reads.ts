import type { Statement } from '../../platform/index.ts';

export interface BalanceRow {
  readonly available_micro: bigint;
  readonly held_micro: bigint;
  readonly debt_micro: bigint;
  readonly version: bigint;
  readonly overage_micro: bigint;
}

export function readBalanceStatement(org_id: string, wallet: number): Statement {
  return {
    name: 'ledger.read_balance',
    text: 'select available_micro, held_micro, debt_micro, version, overage_micro from netra.read_balance($1, $2)',
    values: [org_id, wallet],
  };
}

export type TransferKind =
  | 'grant'
  | 'hold'
  | 'extend'
  | 'capture'
  | 'settle'
  | 'overage'
  | 'expire'
  | 'refund'
  | 'move'
  | 'line';

export interface TransferRow {
  readonly version: bigint;
  readonly at: Date;
  readonly kind: TransferKind;
  readonly reason: string;
  readonly agent: string | null;
  readonly run_id: string | null;
  readonly available_micro: bigint;
  readonly held_micro: bigint;
  readonly spent_micro: bigint;
  readonly available_after_micro: bigint;
}

/** Newest first, by the wallet's version: dense, so a page neither skips nor repeats a movement. */
export function listTransfersStatement(org_id: string, before: bigint | null, limit: number): Statement {
  return {
    name: 'ledger.list_transfers',
    text: `select version, at, kind, reason, agent, run_id, available_micro, held_micro, spent_micro,
                  available_after_micro
             from netra.transfer
            where org_id = $1 and wallet_id = 0 and ($2::bigint is null or version < $2)
            order by version desc limit $3`,
    values: [org_id, before, limit],
  };
}
