/**
 * Segment: installations whose plans are paid by Stripe, and their bookkeepers.
 * Goal: every cent that came is on the invoice that bills it, and what goes back is owed again.
 * Value: no reconciliation by hand, and no invoice that says paid when it is not.
 * Strategic impact: books that an auditor can follow from the bank to the line.
 *
 * Nothing here asks Stripe: events are signed and verified by its library, its API is a stand-in on loopback.
 */
import { randomUUID } from 'node:crypto';
import { suite } from '@netra/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  issueInvoices,
  listInvoices,
  listPayments,
  payInvoice,
  readInvoice,
  reversePayment,
  writeBillingProfile,
  type Invoice,
} from '../../../server/billing/index.ts';
import { captureHold, placeHold, settleHold } from '../../../server/ledger/index.ts';
import { setSpending } from '../../../server/plans/index.ts';
import { credit } from '../ledger-node.ts';
import { ageSubscription } from './age-subscription.ts';
import { refusal } from './credits/stage.ts';
import { available, month, openPlans, type PaidPlan, type Plans } from './payments/plans.ts';
import { askForSmall, expectWhole } from './payments/purchases.ts';
import { customerOf, eventOf, refunded, sessionOf } from './payments/stripe-stage.ts';

const own = suite();
let plans: Plans;
beforeAll(async () => {
  plans = await openPlans(own);
}, 120_000);

/** A closed period of the early plan with 50 credits beyond it; the plan itself is paid. */
async function billed(): Promise<PaidPlan & { readonly invoice: Invoice }> {
  const paid = await plans.onEarly();
  const { ctx } = paid;
  await setSpending({ ctx, input: { overage_micro: 1_000n * credit, total_micro: null, member_micro: null } });
  const all = await available(ctx);
  const { hold_id } = await placeHold({ ctx, input: { amount_micro: all, reason: 'work', key: 'all' } });
  await captureHold({ ctx, input: { hold_id, amount_micro: all + 5_000n * credit, reason: 'work', key: 'more' } });
  await settleHold({ ctx, input: { hold_id, capture_micro: 0n, reason: 'work', key: 'end' } });
  await ageSubscription(plans.stage.node, ctx, { periods: 1 });
  const [issued] = await issueInvoices({ platform: plans.stage.node.platform, org_id: ctx.principal.org_id });
  const invoice = await readInvoice({ ctx, input: { invoice_id: issued?.invoice_id ?? '' } });
  return { ...paid, invoice };
}

describe('an invoice', () => {
  // Planted bug that turns it red: use_plan_money() that pays every line.
  test('M5 takes the money for the plan for what it bills of the plan, and the next month’s money for nothing else', async () => {
    const paid = await billed();
    const { ctx, checkout, invoice } = paid;
    await plans.stage.deliver(month('invoice.paid', paid, `in_${randomUUID()}`));
    const over = invoice.lines.filter(({ kind }) => kind === 'overage');
    expect(over.length, 'something is beyond the plan').toBeGreaterThan(0);
    const rest = over.reduce((sum, line) => sum + Number(line.net_usd) + Number(line.tax_usd), 0);
    const page = await payInvoice({ ctx, input: { invoice_id: invoice.invoice_id, key: 'pay' } });
    const plan = invoice.lines.filter(({ kind }) => kind === 'base' || kind === 'upgrade');
    const costs = plan.reduce((sum, line) => sum + Number(line.net_usd) + Number(line.tax_usd), 0);
    expect(Number(page.balance_usd)).toBeCloseTo(
      rest + Math.max(0, costs - Number(checkout.first_usd) - Number(checkout.month_usd)),
      2,
    );
    await expectWhole(plans.stage.node);
  });

  // Planted bugs that turn it red: balance_invoice() that only ever pays; take_refund_notice() that adds amounts up.
  test('M5 is paid on its page, reopened by what goes back, and paid again: each told once, and by the amounts that stand', async () => {
    const { ctx, invoice } = await billed();
    const { org_id } = ctx.principal;
    const { invoice_id: id } = invoice;
    const open = async () => (await readInvoice({ ctx, input: { invoice_id: id } })).state;
    const pay = (key: string) => payInvoice({ ctx, input: { invoice_id: id, key } });
    const page = await pay('one');
    expect(await pay('one')).toEqual(page);
    expect(page.pay_url).toMatch(/^https:/);
    const customer = await customerOf(plans.stage.node, org_id);
    const paidOn = (session: string, total_usd: string, over: object = {}) =>
      eventOf(
        'checkout.session.completed',
        sessionOf({ org_id, of: 'invoice', id, session, total_usd, customer }, over),
      );
    const foreign = paidOn('cs_f', page.balance_usd, { metadata: { netra_org: randomUUID(), netra_invoice: id } });
    await plans.stage.deliver(foreign);
    expect((await plans.stage.stored(foreign))?.state).toBe('flagged');
    expect(await open()).toBe('open');
    const event = paidOn('cs_one', page.balance_usd);
    await Promise.all(Array.from({ length: 10 }, () => plans.stage.deliver(event)));
    expect(await open()).toBe('paid');
    expect((await refusal(pay('two'))).code).toBe('conflict');
    const cents = Math.round(Number(page.balance_usd) * 100);
    // A part goes back, then all of it; the events come the other way round.
    const [part, whole] = [refunded(event, 100), refunded(event, cents)];
    await plans.stage.deliver(whole);
    await plans.stage.deliver(part);
    expect(await plans.stage.stored(part)).toEqual({ state: 'processed', note: '' });
    expect(await open()).toBe('open');
    expect((await pay('three')).balance_usd).toBe(page.balance_usd);
    await plans.stage.deliver(paidOn('cs_two', page.balance_usd));
    expect(await open()).toBe('paid');
    expect(await plans.stage.told(ctx)).toMatchObject({ 'invoice.paid': 2, 'invoice.reopened': 1 });
    const more = paidOn('cs_three', '1.00');
    await plans.stage.deliver(more);
    expect(await plans.stage.stored(more)).toEqual({
      state: 'flagged',
      note: expect.stringContaining('1.00 USD more'),
    });
    await expectWhole(plans.stage.node);
  });

  // Planted bug that turns it red: reverse_payment() without its loop over payment_use.
  test('M5 is open again when the bank takes the money for its plan back; never more than came, once for each reference', async () => {
    const { ctx, invoice } = await billed();
    const { platform } = plans.stage.node;
    const first = (await listPayments({ ctx, input: {} })).items.at(-1);
    if (first === undefined) throw new Error('the plan was paid');
    const balance = async () =>
      (await payInvoice({ ctx, input: { invoice_id: invoice.invoice_id, key: randomUUID() } })).balance_usd;
    const before = await balance();
    const back = (reference: string, amount_usd = first.amount_usd) =>
      reversePayment({
        platform,
        input: { payment_id: first.payment_id, amount_usd, reference, reason: 'chargeback', by: 'operator' },
      });
    expect((await refusal(back('dp_0', '9999.00'))).code).toBe('conflict');
    expect(await Promise.all([back('dp_1'), back('dp_1')])).toEqual(
      expect.arrayContaining([{ reversed: true }, { reversed: false }]),
    );
    expect((await refusal(back('dp_1', '1.00'))).code).toBe('conflict');
    expect((await refusal(back('dp_2', '0.01'))).code).toBe('conflict');
    expect(Number(await balance())).toBeCloseTo(Number(before) + Number(first.amount_usd), 2);
    expect((await listInvoices({ ctx, input: {} })).items[0]?.state).toBe('open');
    await expectWhole(plans.stage.node);
  });
});

test('a purchase is taxed as its buyer is: at home, abroad with and without a VAT id', async () => {
  const cases = [
    [{ country: 'NL' }, { tax_usd: '2.10', total_usd: '12.10', tax_name: 'VAT' }],
    [{ country: 'DE' }, { tax_usd: '1.90', total_usd: '11.90' }],
    [
      { country: 'DE', vat_id: 'DE136695976' },
      { tax_usd: '0.00', total_usd: '10.00', tax_name: 'reverse charge' },
    ],
    [{ country: 'US' }, { tax_usd: '0.00', total_usd: '10.00', tax_name: 'export' }],
  ] as const;
  for (const [buyer, terms] of cases) {
    const ctx = await plans.stage.node.newOrg();
    await writeBillingProfile({ ctx, input: { name: 'Buyer', address: 'Street 1', ...buyer } });
    expect(await askForSmall(ctx), JSON.stringify(buyer)).toMatchObject({ net_usd: '10.00', ...terms });
  }
});
