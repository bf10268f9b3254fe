import type { Ctx } from '../platform/index.ts';
import { listWalletsStatement, type WalletRow } from './sql/wallets.ts';

/** A wallet of the organisation. The one numbered 0 has no name: it is the organisation's own. */
export type Wallet = WalletRow;

/** Every wallet with its balance, by number. Operators open them, so they are few: there are no pages. */
export async function listWallets({ ctx }: { ctx: Ctx; input: Record<never, never> }): Promise<readonly Wallet[]> {
  const { org_id } = ctx.principal;
  return ctx.platform.postgres.inOrg(org_id, (tx) => tx.rows<WalletRow>(listWalletsStatement(org_id)));
}
