/**
 * Segment: installations whose plans are paid by Stripe.
 * Goal: a dearer plan begins when it is paid, goes on while it is paid, and every cent lands on the invoice that bills it.
 * Value: no service for nothing, no payment for nothing, no reconciliation by hand.
 * Strategic impact: revenue that is collected by itself, and books that an auditor can follow.
 *
 * Nothing here asks Stripe: events are signed and verified by its library, its API is a stand-in on loopback.
 */
import { randomUUID } from 'node:crypto';
import { createAccount, suite } from '@netra/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { listPayments, readPlanCheckout, type PlanCheckoutRow } from '../../../server/billing/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import {
  cancelSubscription,
  changePlan,
  reactivateSubscription,
  readSubscription,
} from '../../../server/plans/index.ts';
import { ageSubscription } from './age-subscription.ts';
import { refusal } from './credits/stage.ts';
import { ask, available, ended, month, openPlans, planOf, type Plans } from './payments/plans.ts';
import { expectWhole } from './payments/purchases.ts';
import { eventOf, refunded, sessionOf } from './payments/stripe-stage.ts';

const own = suite();
let plans: Plans;
beforeAll(async () => {
  plans = await openPlans(own);
}, 120_000);

describe('a plan that is paid first', () => {
  // Planted bug that turns it red: change_plan.ts that takes changePlanStatement whoever carries the money.
  test('cannot be had without paying: not by a change, not by a reactivation; a cheaper one can', async () => {
    const { ctx, checkout } = await plans.onEarly();
    for (const plan of ['mid', 'enterprise']) {
      expect((await refusal(changePlan({ ctx, input: { plan } }))).code).toBe('conflict');
    }
    expect((await changePlan({ ctx, input: { plan: 'free' } })).next_plan_id).toBe('free');
    expect((await changePlan({ ctx, input: { plan: 'early' } })).next_plan_id, 'taken back').toBe(null);
    await cancelSubscription({ ctx, input: {} });
    await ageSubscription(plans.stage.node, ctx, { periods: 1 });
    expect(await planOf(ctx)).toBe('free');
    expect((await refusal(reactivateSubscription({ ctx, input: {} }))).code).toBe('conflict');
    expect(await planOf(ctx)).toBe('free');
    expect((await refusal(ask(ctx, 'free'))).code).toBe('conflict');
    expect((await refusal(ask(plans.stage.node.as(ctx, 'member')))).code).toBe('forbidden');
    expect((await readPlanCheckout({ ctx, input: checkout })).state).toBe('paid');
  });

  // Planted bug that turns it red: take_plan_notice() that does not look whether the payment is new.
  test('begins when the event says so, at a price prorated to the second and taxed; once, however often it is told', async () => {
    const ctx = await plans.onFree();
    await ageSubscription(plans.stage.node, ctx, { days: 10 });
    const before = await available(ctx);
    const checkout = await ask(ctx, 'early', 'k');
    expect(await ask(ctx, 'early', 'k')).toEqual(checkout);
    expect((await refusal(ask(ctx, 'mid', 'k'))).code).toBe('idempotency_key_reused');
    const { price_usd } = (
      await plans.stage.node.owner<{ price_usd: string }>(
        `select price_usd::text from netra.plan where plan_id = 'early'`,
      )
    )[0] ?? { price_usd: '0' };
    const sub = await readSubscription({ ctx, input: {} });
    const total_s = (sub.period_end.getTime() - sub.period_start.getTime()) / 1000;
    const net = (Number(price_usd) * (total_s - 10 * 86_400)) / total_s;
    expect(Number(checkout.first_usd)).toBeCloseTo(net * 1.21, 1);
    expect(checkout).toMatchObject({
      month_usd: (Number(price_usd) * 1.21).toFixed(2),
      renews_at: sub.period_end,
      state: 'pending',
    });
    expect([await planOf(ctx), await available(ctx)]).toEqual(['free', before]);
    const [page] = plans.asked('/v1/checkout/sessions', ctx);
    expect(page?.form).toMatchObject({
      mode: 'payment',
      'line_items[0][price_data][unit_amount]': String(Math.round(Number(checkout.first_usd) * 100)),
      'payment_intent_data[setup_future_usage]': 'off_session',
      'metadata[netra_plan]': checkout.checkout_id,
    });

    const event = await plans.planPaid(ctx, checkout);
    const again = await plans.planPaid(ctx, checkout, {}, 'checkout.session.async_payment_succeeded');
    await Promise.all(
      [...Array.from({ length: 10 }, () => event), again, again].map((one) => plans.stage.deliver(one)),
    );
    for (const one of [event, again]) {
      expect(await plans.stage.stored(one)).toEqual({ state: 'processed', note: '' });
    }
    expect(await planOf(ctx)).toBe('early');
    expect(await available(ctx)).toBeGreaterThan(before);
    expect(await plans.stage.told(ctx)).toEqual({ 'subscription.changed': 1 });
    expect((await listPayments({ ctx, input: {} })).items).toMatchObject([
      { kind: 'payment', amount_usd: checkout.first_usd, checkout_id: checkout.checkout_id },
    ]);
    await Promise.all([plans.tell(), plans.tell()]);
    const [begun, ...more] = plans.asked('/v1/subscriptions', ctx);
    expect(more.every(({ key }) => key === `netra/months/${checkout.checkout_id}`)).toBe(true);
    expect(begun?.form).toMatchObject({
      billing_cycle_anchor: String(Math.floor(sub.period_end.getTime() / 1000)),
      proration_behavior: 'none',
      default_payment_method: expect.stringMatching(/^pm_of_pi_/),
      'items[0][price_data][unit_amount]': String(Math.round(Number(checkout.month_usd) * 100)),
      'items[0][price_data][recurring][interval]': 'month',
      'items[0][price_data][product]': 'netra_plan_early',
    });
    expect((await readPlanCheckout({ ctx, input: checkout })).months).toBe('active');
    await expectWhole(plans.stage.node);
  });

  test('is not begun by an event over another amount or organisation, nor by a page that another one replaced', async () => {
    const [ctx, other] = [await plans.onFree(), await plans.onFree()];
    const first = await ask(ctx);
    for (const over of [
      { amount_total: 100 },
      { currency: 'eur' },
      { metadata: { netra_org: other.principal.org_id, netra_plan: first.checkout_id } },
    ]) {
      const event = await plans.planPaid(ctx, first, over);
      await plans.stage.deliver(event);
      expect((await plans.stage.stored(event))?.state).toBe('flagged');
    }
    const unknown = eventOf('checkout.session.completed', {
      ...sessionOf({
        org_id: ctx.principal.org_id,
        of: 'plan',
        id: randomUUID(),
        session: 's',
        total_usd: '1.00',
        customer: 'c',
      }),
    });
    await plans.stage.deliver(unknown);
    expect(await plans.stage.stored(unknown)).toEqual({ state: 'received', note: 'waits for its checkout' });
    const second = await ask(ctx, 'mid');
    expect((await readPlanCheckout({ ctx, input: first })).state, 'its page was closed').toBe('ended');
    expect([await planOf(ctx), await planOf(other)]).toEqual(['free', 'free']);
    const late = await plans.planPaid(ctx, first);
    await plans.stage.deliver(late);
    expect(await plans.stage.stored(late)).toEqual({
      state: 'flagged',
      note: expect.stringContaining('send the money back'),
    });
    expect(await planOf(ctx)).toBe('free');
    await plans.stage.deliver(refunded(late, Math.round(Number(first.first_usd) * 100)));
    await plans.stage.deliver(await plans.planPaid(ctx, second));
    expect(await planOf(ctx)).toBe('mid');
    await expectWhole(plans.stage.node);
  });

  // Planted bug that turns it red: begin_paid_plan() that ends the first where it should replace it.
  test('is replaced by a dearer one: the months of the first end at Stripe, and one subscription goes on', async () => {
    const first = await plans.onEarly();
    const { ctx } = first;
    const dearer = await ask(ctx, 'mid');
    await plans.stage.deliver(await plans.planPaid(ctx, dearer));
    await plans.tell();
    expect(plans.stage.stripe.of('DELETE', `/v1/subscriptions/${first.months}`)).toHaveLength(1);
    await plans.stage.deliver(ended(first));
    expect(await planOf(ctx)).toBe('mid');
    expect((await readSubscription({ ctx, input: {} })).cancelled_at).toBe(null);
    expect((await readPlanCheckout({ ctx, input: first.checkout })).months).toBe('ended');
    expect((await readPlanCheckout({ ctx, input: dearer })).months).toBe('active');
    const wrong = month('invoice.paid', first, `in_${randomUUID()}`);
    await plans.stage.deliver(wrong);
    expect((await plans.stage.stored(wrong))?.note).toContain('send the money back');
    await expectWhole(plans.stage.node);
  });
});

test('over REST: a dearer plan is asked for, shown and paid; another organisation sees nothing', async () => {
  const { token, org } = await createAccount({ env: own.env, plan: 'free' });
  const call = async (method: string, path: string, body?: object, as = token) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization: `Bearer ${as}`, 'idempotency-key': 'one', ...json };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetch(`${plans.stage.server.url}${path}`, init);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  expect((await call('PUT', '/v1/subscription', { plan: 'early' })).status).toBe(409);
  const made = await call('POST', '/v1/subscription/checkout', { plan: 'early' });
  expect(made).toMatchObject({ status: 201, body: { plan: 'early', state: 'pending', months: null } });
  expect((await call('POST', '/v1/subscription/checkout', { plan: 'early' })).body).toEqual(made.body);
  const path = `/v1/subscription/checkout/${String(made.body['checkout'])}`;
  const other = await createAccount({ env: own.env, plan: 'free' });
  expect((await call('GET', path, undefined, other.token)).status, 'T1').toBe(404);
  const ctx = plans.stage.node.as(await plans.onFree(), 'owner');
  const mine: Ctx = { ...ctx, principal: { ...ctx.principal, org_id: org } };
  const [checkout] = await plans.stage.node.owner<PlanCheckoutRow>(
    'select checkout_id, first_usd::text from netra.plan_checkout where org_id = $1',
    [org],
  );
  if (checkout === undefined) throw new Error('the checkout is there');
  await plans.stage.deliver(await plans.planPaid(mine, checkout));
  expect((await call('GET', path)).body).toMatchObject({ state: 'paid', pay_url: null, months: 'active' });
  expect((await call('GET', '/v1/subscription')).body).toMatchObject({ plan: 'early' });
  expect((await call('POST', `/v1/invoices/${randomUUID()}/pay`)).status).toBe(404);
}, 120_000);

describe('the months that follow', () => {
  // Planted bug that turns it red: take_subscription_notice() without its look for a payment of that month.
  test('are paid, or past due until they are, whatever order that is told in; each is told once', async () => {
    const paid = await plans.onEarly();
    const { ctx } = paid;
    const [one, two] = [`in_${randomUUID()}`, `in_${randomUUID()}`];
    const renewed = month('invoice.paid', paid, one);
    await Promise.all(Array.from({ length: 10 }, () => plans.stage.deliver(renewed)));
    const payments = async () => (await listPayments({ ctx, input: {} })).items.length;
    expect(await payments()).toBe(2);
    await plans.stage.deliver(month('invoice.payment_failed', paid, one));
    const stateNow = async () => (await readPlanCheckout({ ctx, input: paid.checkout })).months;
    expect(await stateNow(), 'a failure before it was paid, told late').toBe('active');
    const failed = month('invoice.payment_failed', paid, two);
    await Promise.all(
      [failed, failed, month('invoice.payment_failed', paid, two)].map((each) => plans.stage.deliver(each)),
    );
    expect(await stateNow()).toBe('past_due');
    expect(await planOf(ctx), 'Stripe tries again; the plan goes on').toBe('early');
    expect((await plans.stage.told(ctx))['payment.failed']).toBe(1);
    await plans.stage.deliver(month('invoice.paid', paid, two));
    expect([await stateNow(), await payments()]).toEqual(['active', 3]);
    const wrong = month('invoice.paid', { ...paid, ctx: await plans.onFree() }, `in_${randomUUID()}`);
    await plans.stage.deliver(wrong);
    expect(await plans.stage.stored(wrong)).toEqual({ state: 'flagged', note: 'names another organisation' });
    await expectWhole(plans.stage.node);
  });

  // Planted bug that turns it red: subscriptions_to_tell() that wants every one to go on.
  test('end with the period when the plan is cancelled, go on when that is taken back, change with a cheaper plan', async () => {
    const paid = await plans.onEarly();
    const { ctx, months } = paid;
    const updates = () =>
      plans.stage.stripe.of('POST', `/v1/subscriptions/${months}`).map(({ form }) => form['cancel_at_period_end']);
    await plans.tell();
    expect(updates()).toEqual([]);
    await cancelSubscription({ ctx, input: {} });
    await plans.tell();
    await plans.tell();
    expect(updates()).toEqual(['true']);
    await reactivateSubscription({ ctx, input: {} });
    await plans.tell();
    expect(updates()).toEqual(['true', 'false']);
    expect(await planOf(ctx)).toBe('early');

    const dearer = await ask(ctx, 'mid');
    await plans.stage.deliver(await plans.planPaid(ctx, dearer));
    await plans.tell();
    await changePlan({ ctx, input: { plan: 'early' } });
    await plans.tell();
    const [changed] = plans.stage.stripe.of('POST', `/v1/subscriptions/${await plans.monthsOf(dearer)}`);
    expect(changed?.form).toMatchObject({
      'items[0][price_data][unit_amount]': String(Math.round(Number(paid.checkout.month_usd) * 100)),
      proration_behavior: 'none',
    });
  });

  test('that Stripe gives up on end the plan with its period', async () => {
    const paid = await plans.onEarly();
    const { ctx } = paid;
    await plans.stage.deliver(month('invoice.payment_failed', paid, `in_${randomUUID()}`));
    const gone = ended(paid);
    await Promise.all([plans.stage.deliver(gone), plans.stage.deliver(ended(paid))]);
    expect(await plans.stage.stored(gone)).toEqual({ state: 'processed', note: '' });
    expect(await readSubscription({ ctx, input: {} })).toMatchObject({ plan_id: 'early', next_plan_id: 'free' });
    await ageSubscription(plans.stage.node, ctx, { periods: 1 });
    expect(await planOf(ctx)).toBe('free');
    await plans.tell();
    expect((await readPlanCheckout({ ctx, input: paid.checkout })).months).toBe('ended');
  });

  // Planted bug that turns it red: tellSubscriptions() that stops at the first failure.
  test('that Stripe cannot be told of are told later, and hold no other organisation up', async () => {
    const [one, two] = [await plans.onFree(), await plans.onFree()];
    for (const ctx of [one, two]) await plans.stage.deliver(await plans.planPaid(ctx, await ask(ctx)));
    plans.stage.stripe.before(async ({ path, form }) => {
      if (path === '/v1/subscriptions' && form['metadata[netra_org]'] === one.principal.org_id) throw new Error('down');
    });
    await plans.tell();
    plans.stage.stripe.before(undefined);
    const begun = `select count(subscription_ref)::int as n from netra.payment_subscription where org_id = $1`;
    const countOf = async (ctx: Ctx) =>
      (await plans.stage.node.owner<{ n: number }>(begun, [ctx.principal.org_id]))[0]?.n;
    expect([await countOf(one), await countOf(two)]).toEqual([0, 1]);
    expect(await plans.tell(), 'not at once again').toEqual({ told: 0 });
    await plans.stage.makeDue();
    await plans.tell();
    expect(await countOf(one)).toBe(1);
  });
});
