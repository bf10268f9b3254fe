/**
 * Segment: installations that sell by Stripe.
 * Goal: what is asked of Stripe is asked once, and money that goes back takes along what it bought.
 * Value: a lost answer costs nobody anything, and a refund is one command.
 * Strategic impact: support that ends in minutes, and books that balance after it.
 *
 * Nothing here asks Stripe: events are signed and verified by its library, its API is a stand-in on loopback.
 */
import { suite } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import {
  cancelPurchase,
  processPaymentEvents,
  readPurchase,
  refundPurchase,
  type PurchaseRow,
} from '../../../server/billing/index.ts';
import { placeHold, settleHold } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { credit } from '../ledger-node.ts';
import { refusal } from './credits/stage.ts';
import { askForSmall, expectBalanced, paymentsOf, smallPack } from './payments/purchases.ts';
import { eventOf, openStripeStage, purchasePaid, refunded, type StripeStage } from './payments/stripe-stage.ts';

const own = suite();
let stage: StripeStage;
beforeAll(async () => {
  stage = await openStripeStage(own);
  await stage.holdJobs();
}, 120_000);

async function asked(): Promise<{ ctx: Ctx; purchase: PurchaseRow }> {
  const ctx = await stage.node.newOrg();
  return { ctx, purchase: await askForSmall(ctx) };
}

const process = () => processPaymentEvents({ platform: stage.node.platform });

// Planted bug that turns it red: take_refund_notice() that takes a part for the whole.
test('M3 money that goes back at Stripe takes the unspent credits along, once; a part, and a dispute, are flagged', async () => {
  const { ctx, purchase } = await asked();
  const paid = await purchasePaid(stage.node, purchase);
  await stage.deliver(paid);
  const part = refunded(paid, 400);
  await stage.deliver(part);
  expect(await stage.stored(part)).toEqual({ state: 'flagged', note: expect.stringContaining('in part') });
  const dispute = eventOf('charge.dispute.created', { id: 'dp_1', payment_intent: 'pi_x' });
  await stage.deliver(dispute);
  expect(await stage.stored(dispute)).toEqual({ state: 'flagged', note: 'the payer disputes pi_x' });
  await expectBalanced(stage.node, ctx, smallPack);

  const hold = { amount_micro: 300n * credit, reason: 'work', key: 'spend' };
  const { hold_id } = await placeHold({ ctx, input: hold });
  const whole = refunded(paid, 1000);
  await stage.deliver(whole);
  expect((await stage.stored(whole))?.note, 'while credits are on hold it waits').toContain('on hold');
  await settleHold({ ctx, input: { hold_id, capture_micro: 250n * credit, reason: 'work', key: 'settle' } });
  await stage.makeDue();
  await Promise.all([process(), process(), stage.deliver(whole)]);
  expect(await stage.stored(whole)).toMatchObject({ state: 'processed' });
  expect(await readPurchase({ ctx, input: { purchase_id: purchase.purchase_id } })).toMatchObject({
    state: 'refunded',
    revoked_micro: 750n * credit,
  });
  expect((await paymentsOf(stage.node, ctx)).map(({ amount }) => amount)).toEqual(['10.00', '-10.00']);
  expect(await stage.told(ctx)).toEqual({ 'purchase.paid': 1, 'purchase.refunded': 1 });
  await expectBalanced(stage.node, ctx, 0n);
});

test('a refund that the operator asks for goes to Stripe once, under our key, and its own event changes nothing', async () => {
  const { ctx, purchase } = await asked();
  const paid = await purchasePaid(stage.node, purchase);
  await stage.deliver(paid);
  const input = { purchase_id: purchase.purchase_id, reason: 'asked', by: 'operator' };
  stage.stripe.before(async ({ path }) => {
    if (path === '/v1/refunds') throw new Error('down');
  });
  const refund = () => refundPurchase({ platform: stage.node.platform, input });
  expect((await refusal(refund())).code).toBe('unavailable');
  stage.stripe.before(undefined);
  await refund();
  await refund();
  const sent = stage.stripe
    .of('POST', '/v1/refunds')
    .filter(({ key }) => key === `netra/refund/${purchase.purchase_id}`);
  expect(sent.at(-1)?.form).toMatchObject({ payment_intent: `pi_of_${purchase.provider_ref}`, amount: '1000' });
  await stage.deliver(refunded(paid, 1000));
  expect((await paymentsOf(stage.node, ctx)).map(({ amount }) => amount)).toEqual(['10.00', '-10.00']);
  await expectBalanced(stage.node, ctx, 0n);
});

test('a purchase that is cancelled can no longer be paid: its page is closed first; one that was paid just now cannot be cancelled', async () => {
  const { ctx, purchase } = await asked();
  const cancel = (one: PurchaseRow) => cancelPurchase({ ctx, input: { purchase_id: one.purchase_id } });
  expect((await cancel(purchase)).state).toBe('cancelled');
  expect(stage.stripe.pages.get(purchase.provider_ref ?? '')).toBe('expired');
  const second = await askForSmall(ctx);
  stage.stripe.pages.set(second.provider_ref ?? '', 'complete');
  expect((await refusal(cancel(second))).code).toBe('conflict');
  await stage.deliver(await purchasePaid(stage.node, second));
  await expectBalanced(stage.node, ctx, smallPack);
});

// Planted bug that turns it red: openPage() after the purchase is written.
test('Stripe that cannot be asked leaves nothing behind; the same key later is one page and one customer', async () => {
  const ctx = await stage.node.newOrg();
  stage.stripe.before(async () => {
    throw new Error('down');
  });
  expect((await refusal(askForSmall(ctx, 'k'))).code).toBe('unavailable');
  stage.stripe.before(undefined);
  const before = stage.stripe.asked.length;
  const [one, two] = await Promise.all([askForSmall(ctx, 'k'), askForSmall(ctx, 'k')]);
  expect(two.purchase_id).toBe(one.purchase_id);
  const mine = stage.stripe.asked.slice(before);
  expect(new Set(mine.map(({ key }) => key)), 'each request under our own key').toEqual(
    new Set([`netra/customer/${ctx.principal.org_id}`, `netra/page/${one.purchase_id}`]),
  );
  const page = mine.find(({ path }) => path === '/v1/checkout/sessions');
  expect(page?.form).toMatchObject({
    mode: 'payment',
    'line_items[0][quantity]': '1',
    'line_items[0][price_data][currency]': 'usd',
    'line_items[0][price_data][unit_amount]': '1000',
    'metadata[netra_org]': ctx.principal.org_id,
    'metadata[netra_purchase]': one.purchase_id,
    'payment_intent_data[metadata][netra_purchase]': one.purchase_id,
    'adaptive_pricing[enabled]': 'false',
  });
});
