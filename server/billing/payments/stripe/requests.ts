import type Stripe from 'stripe';
import type { MonthsOrder, PageOrder, RefundOrder } from '../provider.ts';

/**
 * What Stripe is asked, as values: pure. The names in metadata are what `noticeOf` looks for when Stripe tells what
 * became of it.
 */

/** A request's key at Stripe, made from our own id: a try whose answer was lost is found again, not repeated. */
export const keyOf = {
  customer: (org_id: string): string => `netra/customer/${org_id}`,
  page: (request: string): string => `netra/page/${request}`,
  refund: (purchase_id: string): string => `netra/refund/${purchase_id}`,
  months: (checkout_id: string): string => `netra/months/${checkout_id}`,
};

/** How a plan is named at Stripe: one product each, made when it is first sold. */
export function productOf(plan_id: string): string {
  return `netra_plan_${plan_id}`;
}

/** Stripe counts whole cents, and as a number: exact up to 2⁵³. `usd` has at most two decimals. */
function centsOf(usd: string): number {
  const [dollars = '0', cents = ''] = usd.split('.');
  const whole = BigInt(dollars) * 100n + BigInt(cents.padEnd(2, '0').slice(0, 2));
  if (whole > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('more dollars than a number of cents can hold');
  return Number(whole);
}

export function customerRequest(order: Pick<PageOrder, 'org_id' | 'org_name'>): Stripe.CustomerCreateParams {
  return { name: order.org_name, metadata: { netra_org: order.org_id } };
}

/** One page that takes one payment. `base_url` is where the payer comes back to; nothing is concluded from that. */
export function pageRequest(
  order: PageOrder,
  customer_ref: string,
  base_url: string,
): Stripe.Checkout.SessionCreateParams {
  const metadata = { netra_org: order.org_id, [`netra_${order.of}`]: order.id };
  const back = (how: string): string => new URL(`/?${order.of}=${order.id}&checkout=${how}`, base_url).href;
  return {
    mode: 'payment',
    customer: customer_ref,
    client_reference_id: order.id,
    line_items: [
      {
        quantity: 1,
        price_data: {
          currency: 'usd',
          unit_amount: centsOf(order.total_usd),
          product_data: {
            name: order.title,
            ...(order.tax_name === null || order.tax_name === 'no tax'
              ? {}
              : { description: `tax included: ${order.tax_name}` }),
          },
        },
      },
    ],
    // Another currency or a discount would be another amount than was asked for.
    adaptive_pricing: { enabled: false },
    allow_promotion_codes: false,
    metadata,
    payment_intent_data: {
      // A refund is told of by the payment, not by the page.
      metadata,
      // The months that follow are collected without the payer.
      ...(order.of === 'plan' ? { setup_future_usage: 'off_session' } : {}),
    },
    success_url: back('done'),
    cancel_url: back('left'),
  };
}

export function refundRequest(order: RefundOrder): Stripe.RefundCreateParams {
  return {
    payment_intent: order.payment_ref,
    amount: centsOf(order.total_usd),
    reason: 'requested_by_customer',
    metadata: { netra_purchase: order.purchase_id },
  };
}

function monthlyPrice({ plan_id, month_usd }: Pick<MonthsOrder, 'plan_id' | 'month_usd'>) {
  return {
    currency: 'usd',
    product: productOf(plan_id),
    recurring: { interval: 'month' as const },
    unit_amount: centsOf(month_usd),
  };
}

/** Charged first at `renews_at`: what runs until then was paid on the page. */
export function monthsRequest(order: MonthsOrder, payment_method: string): Stripe.SubscriptionCreateParams {
  return {
    customer: order.customer_ref,
    items: [{ price_data: monthlyPrice(order) }],
    default_payment_method: payment_method,
    billing_cycle_anchor: Math.floor(order.renews_at.getTime() / 1000),
    proration_behavior: 'none',
    off_session: true,
    description: `plan ${order.plan_id}, tax included`,
    metadata: { netra_org: order.org_id, netra_plan: order.checkout_id },
  };
}

/** `item` is the one line of the subscription. */
export function changeRequest(
  order: Pick<MonthsOrder, 'plan_id' | 'month_usd'>,
  item: string,
): Stripe.SubscriptionUpdateParams {
  return {
    items: [{ id: item, price_data: monthlyPrice(order) }],
    cancel_at_period_end: false,
    proration_behavior: 'none',
    description: `plan ${order.plan_id}, tax included`,
  };
}
