import type Stripe from 'stripe';
import type { PurchaseOrder, RefundOrder } from '../provider.ts';

/**
 * What Stripe is asked, as values: pure, so that a test can read every parameter without asking anybody. The names in
 * metadata are what `noticeOf` looks for when Stripe tells what became of it.
 */

/** A request's key at Stripe, made from our own id: a try whose answer was lost is found again, not repeated. */
export const keyOf = {
  customer: (org_id: string): string => `netra/customer/${org_id}`,
  purchase: (purchase_id: string): string => `netra/purchase/${purchase_id}`,
  refund: (purchase_id: string): string => `netra/refund/${purchase_id}`,
};

/** Stripe counts whole cents, and as a number: exact up to 2⁵³. `usd` has at most two decimals. */
function centsOf(usd: string): number {
  const [dollars = '0', cents = ''] = usd.split('.');
  const whole = BigInt(dollars) * 100n + BigInt(cents.padEnd(2, '0').slice(0, 2));
  if (whole > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('more dollars than a number of cents can hold');
  return Number(whole);
}

export function customerRequest(order: Pick<PurchaseOrder, 'org_id' | 'org_name'>): Stripe.CustomerCreateParams {
  return { name: order.org_name, metadata: { netra_org: order.org_id } };
}

/** One page that takes one payment. `base_url` is where the payer comes back to; nothing is concluded from that. */
export function purchaseRequest(
  order: PurchaseOrder,
  customer_ref: string,
  base_url: string,
): Stripe.Checkout.SessionCreateParams {
  const metadata = { netra_org: order.org_id, netra_purchase: order.purchase_id };
  const back = (how: string): string => new URL(`/?purchase=${order.purchase_id}&checkout=${how}`, base_url).href;
  return {
    mode: 'payment',
    customer: customer_ref,
    client_reference_id: order.purchase_id,
    line_items: [
      {
        quantity: 1,
        price_data: {
          currency: 'usd',
          unit_amount: centsOf(order.total_usd),
          product_data: {
            name: order.pack_name,
            ...(order.tax_name === 'no tax' ? {} : { description: `tax included: ${order.tax_name}` }),
          },
        },
      },
    ],
    // Another currency or a discount would be another amount than the purchase says.
    adaptive_pricing: { enabled: false },
    allow_promotion_codes: false,
    metadata,
    // A refund is told of by the payment, not by the page.
    payment_intent_data: { metadata },
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
