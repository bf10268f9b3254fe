import { expect } from 'vitest';
import { checkInvoices, checkPayments, createPurchase, type PurchaseRow } from '../../../../server/billing/index.ts';
import { checkBooks, readBalance } from '../../../../server/ledger/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { credit, type LedgerNode } from '../../ledger-node.ts';

export const smallPack = 1_000n * credit;

/** Asks for the small pack; `key` names the request. */
export function askForSmall(ctx: Ctx, key = ctx.platform.ids.uuid()): Promise<PurchaseRow> {
  return createPurchase({ ctx, input: { pack: 'small', key } });
}

/** M1–M3 and M5 hold in the whole installation, and the organisation has exactly so much. */
export async function expectBalanced(node: LedgerNode, ctx: Ctx, available_micro: bigint): Promise<void> {
  expect((await readBalance({ ctx, input: {} })).balance_micro).toBe(available_micro);
  await expectWhole(node);
}

export async function expectWhole({ platform }: LedgerNode): Promise<void> {
  expect(await checkBooks({ platform })).toEqual([]);
  expect(await checkInvoices({ platform })).toEqual([]);
  expect(await checkPayments({ platform })).toEqual([]);
}

/** The payments of an organisation, as the database has them. */
export function paymentsOf(node: LedgerNode, ctx: Ctx): Promise<{ kind: string; amount: string; ref: string }[]> {
  return node.owner(
    `select kind, amount_usd::text as amount, provider_ref as ref from netra.payment where org_id = $1 order by recorded_at`,
    [ctx.principal.org_id],
  );
}
