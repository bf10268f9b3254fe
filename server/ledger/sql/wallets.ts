import type { Statement } from '../../platform/index.ts';

export interface WalletRow {
  readonly wallet: number;
  readonly name: string | null;
  readonly balance_micro: bigint;
  readonly held_micro: bigint;
  readonly debt_micro: bigint;
}

export function listWalletsStatement(org_id: string): Statement {
  return {
    name: 'ledger.list_wallets',
    text: `select w.wallet_id as wallet, w.name, b.available_micro as balance_micro, b.held_micro, b.debt_micro
             from netra.wallet w cross join lateral netra.read_balance($1, w.wallet_id) b
            where w.org_id = $1 order by w.wallet_id`,
    values: [org_id],
  };
}
