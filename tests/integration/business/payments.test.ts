/**
 * Segment: every plan that can run out of credits.
 * Goal: who buys credits gets them exactly once, when the money is there, and never before.
 * Value: the operator can take money by hand, cancel and refund, and the books balance after each step.
 * Strategic impact: a credit that is granted twice is money given away; one that is not granted is a lost customer.
 */
import { suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  cancelPurchase,
  createPurchase,
  importPacks,
  listPacks,
  listPayments,
  listPurchases,
  readPurchase,
  refundPurchase,
  settlePurchase,
} from '../../../server/billing/index.ts';
import { captureHold, placeHold, readBalance, refundHold, settleHold } from '../../../server/ledger/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';
import { refusal } from './credits/stage.ts';
import { askForSmall, expectBalanced, paymentsOf, smallPack } from './payments/purchases.ts';

describe('credit purchases, paid by hand', () => {
  const on = suite();
  let node: LedgerNode;
  beforeAll(async () => {
    node = await openLedger(on);
  });
  const settle = (purchase_id: string, reference: string, amount_usd = '10.00') =>
    settlePurchase({ platform: node.platform, input: { purchase_id, amount_usd, reference, by: 'operator' } });

  it('sells the packs at list price: $0.01 a credit', async () => {
    const packs = await listPacks({ platform: node.platform });
    expect(packs.map(({ pack_id, credits_micro, price_usd }) => [pack_id, credits_micro / credit, price_usd])).toEqual([
      ['small', 1_000n, '10.00'],
      ['medium', 5_000n, '50.00'],
      ['large', 25_000n, '250.00'],
    ]);
  });

  // Planted bug that turns it red: open_purchase() without `on conflict do nothing` and its look-up by key.
  it('asks once for a key, says where to pay, and grants nothing before it is paid', async () => {
    const ctx = await node.newOrg();
    const asked = await Promise.all(Array.from({ length: 8 }, () => askForSmall(ctx, 'k')));
    expect(new Set(asked.map(({ purchase_id }) => purchase_id)).size).toBe(1);
    expect(asked[0]).toMatchObject({ state: 'pending', net_usd: '10.00', tax_usd: '0.00', total_usd: '10.00' });
    expect(asked[0]?.instructions).not.toBe(null);
    const other = createPurchase({ ctx, input: { pack: 'large', key: 'k' } });
    expect((await refusal(other)).code).toBe('idempotency_key_reused');
    expect((await readBalance({ ctx, input: {} })).balance_micro).toBe(0n);
    expect((await refusal(createPurchase({ ctx, input: { pack: 'none', key: 'x' } }))).code).toBe('not_found');
    const member = node.as(ctx, 'member');
    for (const call of [
      askForSmall(member),
      listPurchases({ ctx: member, input: {} }),
      listPayments({ ctx: member, input: {} }),
    ]) {
      expect((await refusal(call)).code).toBe('forbidden');
    }
  });

  // Planted bug that turns it red: settle_purchase() without the lock (read the state without `for no key update`).
  it('M3 grants the credits once, whoever says how often and at the same time that the money came', async () => {
    const ctx = await node.newOrg();
    const { purchase_id } = await askForSmall(ctx);
    const said = await Promise.all(Array.from({ length: 20 }, (_, one) => settle(purchase_id, `bank ${one}`)));
    expect(said.filter(({ settled }) => settled)).toHaveLength(1);
    expect(await paymentsOf(node, ctx)).toHaveLength(1);
    await expectBalanced(node, ctx, smallPack);
    expect((await readPurchase({ ctx, input: { purchase_id } })).state).toBe('paid');
  });

  // Planted bug that turns it red: settle_purchase() without its comparison of the amounts.
  it('refuses another amount than it costs, and changes nothing', async () => {
    const ctx = await node.newOrg();
    const { purchase_id } = await askForSmall(ctx);
    for (const amount of ['9.99', '10.01', '100']) {
      expect((await refusal(settle(purchase_id, 'bank', amount))).code).toBe('conflict');
    }
    expect((await refusal(settle(purchase_id, 'bank', '10.001'))).code).toBe('invalid_request');
    expect((await refusal(settle(node.platform.ids.uuid(), 'bank'))).code).toBe('not_found');
    expect(await paymentsOf(node, ctx)).toEqual([]);
    await expectBalanced(node, ctx, 0n);
  });

  // Planted bug that turns it red: settle_purchase() that takes one that was cancelled.
  it('lets either a cancellation or a payment win, never both', async () => {
    const ctx = await node.newOrg();
    let paid = 0n;
    for (let round = 0; round < 10; round += 1) {
      const { purchase_id } = await askForSmall(ctx);
      const ends = await Promise.allSettled([
        settle(purchase_id, `bank ${round}`),
        cancelPurchase({ ctx, input: { purchase_id } }),
      ]);
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      if (ends[0].status === 'fulfilled') paid += smallPack;
    }
    await expectBalanced(node, ctx, paid);
  });

  // Planted bug that turns it red: begin_refund() that takes back credits_micro instead of what remains.
  it('M3 takes back what is unspent of a refunded purchase, and the whole payment once', async () => {
    const ctx = await node.newOrg();
    const { purchase_id } = await askForSmall(ctx);
    await settle(purchase_id, 'bank 1');
    const spend = { amount_micro: 300n * credit, reason: 'work', key: 'spend' };
    const { hold_id } = await placeHold({ ctx, input: spend });
    const refund = () =>
      refundPurchase({
        platform: node.platform,
        input: { purchase_id, reason: 'asked', reference: 'back 1', by: 'operator' },
      });
    expect((await refusal(refund())).detail['held_micro']).toBe(spend.amount_micro.toString());
    await settleHold({ ctx, input: { hold_id, capture_micro: 250n * credit, reason: 'work', key: 'settle' } });
    const [first] = await Promise.all([refund(), refund(), refund()]);
    expect(first).toMatchObject({ revoked_micro: 750n * credit, total_usd: '10.00' });
    expect(await paymentsOf(node, ctx)).toEqual([
      { kind: 'payment', amount: '10.00', ref: 'bank 1' },
      { kind: 'reversal', amount: '-10.00', ref: 'back 1' },
    ]);
    await expectBalanced(node, ctx, 0n);
    expect((await refusal(settle(purchase_id, 'bank 1'))).code).toBe('conflict');

    // What a later refund of the charge gives back to the grant is no one's any more.
    await refundHold({ ctx, input: { hold_id, amount_micro: 100n * credit, reason: 'sorry', key: 'r' } });
    expect((await readBalance({ ctx, input: {} })).balance_micro).toBe(0n);
  });

  it('pays a debt from what was bought, and never takes that back', async () => {
    const ctx = await node.newOrg(10n);
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: 10n * credit, reason: 'work', key: 'h' } });
    await captureHold({ ctx, input: { hold_id, amount_micro: 60n * credit, reason: 'work', key: 'c' } });
    await settleHold({ ctx, input: { hold_id, capture_micro: 0n, reason: 'work', key: 's' } });
    const { purchase_id } = await askForSmall(ctx);
    await settle(purchase_id, 'bank');
    await expectBalanced(node, ctx, 950n * credit);
    const input = { purchase_id, reason: 'asked', by: 'operator' };
    expect((await refundPurchase({ platform: node.platform, input })).revoked_micro).toBe(950n * credit);
    await expectBalanced(node, ctx, 0n);
  });

  // Planted bug that turns it red: keep_pack() that says nothing about other terms.
  it('dates packs: a new price counts from its date, and a sold one is not edited', async () => {
    const { platform } = node;
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const row = { pack: 'small', valid_from: soon, name: '1,000 credits', credits: 1_000, price_usd: '12.00' };
    const give = (packs: readonly object[]) => importPacks({ platform, text: JSON.stringify(packs) });
    expect(await give([row])).toEqual({ added: 1 });
    expect(await give([row])).toEqual({ added: 0 });
    expect((await refusal(give([{ ...row, price_usd: '11.00' }]))).code).toBe('conflict');
    for (const bad of [
      { price_usd: '0' },
      { price_usd: '-1' },
      { credits: 0 },
      { valid_from: '2020-01-01T00:00:00Z' },
      { pirce: 1 },
    ]) {
      expect((await refusal(give([{ ...row, pack: 'other', ...bad }]))).code, JSON.stringify(bad)).toBe(
        'invalid_request',
      );
    }
    expect((await refusal(importPacks({ platform, text: 'pack,price' }))).code).toBe('invalid_request');
    const [small] = await listPacks({ platform });
    expect(small?.price_usd, 'the old price until then').toBe('10.00');
  });

  it('T1 shows an organisation its own purchases alone, page by page', async () => {
    const [ctx, other] = [await node.newOrg(), await node.newOrg()];
    const mine = [];
    for (let one = 0; one < 3; one += 1) mine.unshift((await askForSmall(ctx)).purchase_id);
    const { purchase_id } = await askForSmall(other);
    expect((await refusal(readPurchase({ ctx, input: { purchase_id } }))).code).toBe('not_found');
    expect((await refusal(cancelPurchase({ ctx, input: { purchase_id } }))).code).toBe('not_found');
    const first = await listPurchases({ ctx, input: { limit: 2 } });
    const rest = await listPurchases({ ctx, input: { limit: 2, cursor: first.next ?? '' } });
    expect([...first.items, ...rest.items].map((row) => row.purchase_id)).toEqual(mine);
    expect(rest.next).toBe(null);
  });
});
