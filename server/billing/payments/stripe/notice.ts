import type Stripe from 'stripe';

/** What an event of Stripe comes to, in our words: what `netra.apply_payment_notice` does in one transaction. */
export type Notice =
  | {
      readonly kind: 'purchase_paid' | 'purchase_failed' | 'purchase_expired';
      readonly org: string;
      readonly purchase: string;
      readonly session: string;
      readonly customer: string | null;
      readonly amount_cents: number | null;
      readonly currency: string | null;
      readonly payment: string | null;
    }
  | {
      readonly kind: 'payment_refunded';
      readonly org: string;
      readonly payment: string;
      readonly refund: string;
      readonly whole: boolean;
    }
  | { readonly kind: 'flagged' | 'ignored'; readonly note: string };

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ignored = (note: string): Notice => ({ kind: 'ignored', note });

/**
 * Reads an event. Pure. What is not about something that we asked for is ignored: a Stripe account may sell other
 * things too. `livemode` is that of our key.
 */
export function noticeOf(event: Stripe.Event, livemode: boolean): Notice {
  if (event.livemode !== livemode) return { kind: 'flagged', note: 'is not of the mode of our key (test or live)' };
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- Stripe has hundreds of types, and adds to them
  switch (event.type) {
    case 'checkout.session.completed':
      // Paid later, by a method that takes days: another event says so.
      if (event.data.object.payment_status === 'unpaid') return ignored('completed, not paid yet');
      return aboutPurchase('purchase_paid', event.data.object);
    case 'checkout.session.async_payment_succeeded':
      return aboutPurchase('purchase_paid', event.data.object);
    case 'checkout.session.async_payment_failed':
      return aboutPurchase('purchase_failed', event.data.object);
    case 'checkout.session.expired':
      return aboutPurchase('purchase_expired', event.data.object);
    case 'charge.refunded':
      return aboutRefund(event.data.object);
    case 'charge.dispute.created':
      return { kind: 'flagged', note: `the payer disputes ${idOf(event.data.object.payment_intent) ?? 'a payment'}` };
    default:
      return ignored('');
  }
}

function aboutPurchase(
  kind: 'purchase_paid' | 'purchase_failed' | 'purchase_expired',
  session: Stripe.Checkout.Session,
): Notice {
  const { netra_org: org = '', netra_purchase: purchase = '' } = session.metadata ?? {};
  if (session.mode !== 'payment' || !uuid.test(org) || !uuid.test(purchase)) return ignored('not a purchase of ours');
  return {
    kind,
    org,
    purchase,
    session: session.id,
    customer: idOf(session.customer),
    amount_cents: session.amount_total,
    currency: session.currency,
    payment: idOf(session.payment_intent) ?? session.id,
  };
}

function aboutRefund(charge: Stripe.Charge): Notice {
  const { netra_org: org = '', netra_purchase: purchase = '' } = charge.metadata;
  const payment = idOf(charge.payment_intent);
  if (payment === null || !uuid.test(org) || !uuid.test(purchase)) return ignored('not a payment of ours');
  const whole = charge.refunded && charge.amount_refunded === charge.amount;
  return { kind: 'payment_refunded', org, payment, refund: charge.id, whole };
}

/** The id of what Stripe gives as an id or, expanded, as the thing itself. */
function idOf(value: string | { readonly id: string } | null): string | null {
  return typeof value === 'string' ? value : (value?.id ?? null);
}
