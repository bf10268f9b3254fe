import type Stripe from 'stripe';

/** What an event of Stripe comes to, in our words: what `netra.apply_payment_notice` does in one transaction. */
export type Notice =
  | {
      readonly kind: 'page_paid' | 'page_failed' | 'page_expired';
      readonly of: 'purchase' | 'plan' | 'invoice';
      readonly id: string;
      readonly org: string;
      readonly session: string;
      readonly customer: string | null;
      readonly amount_cents: number | null;
      readonly currency: string | null;
      readonly payment: string | null;
    }
  | {
      readonly kind: 'month_paid' | 'month_unpaid';
      readonly org: string;
      readonly subscription: string;
      readonly payment: string;
      readonly amount_cents: number;
      readonly currency: string;
    }
  | { readonly kind: 'months_ended'; readonly org: string; readonly subscription: string; readonly fallback: string }
  | {
      readonly kind: 'payment_refunded';
      readonly org: string;
      readonly payment: string;
      readonly refund: string;
      /** All that went back of the payment until now. */
      readonly amount_cents: number;
      readonly whole: boolean;
    }
  | { readonly kind: 'customer_refunded'; readonly customer: string }
  | { readonly kind: 'flagged' | 'ignored'; readonly note: string };

/** What a reader must know of this installation. */
export interface NoticeTerms {
  /** The mode of our key. */
  readonly livemode: boolean;
  /** The plan that an organisation falls to when no one pays any more. */
  readonly fallback: string;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const things = ['purchase', 'plan', 'invoice'] as const;
const ignored = (note: string): Notice => ({ kind: 'ignored', note });

/**
 * Reads an event. Pure. What is not about something that we asked for is ignored: a Stripe account may sell other
 * things too.
 */
export function noticeOf(event: Stripe.Event, terms: NoticeTerms): Notice {
  if (event.livemode !== terms.livemode)
    return { kind: 'flagged', note: 'is not of the mode of our key (test or live)' };
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- Stripe has hundreds of types, and adds to them
  switch (event.type) {
    case 'checkout.session.completed':
      // Paid later, by a method that takes days: another event says so.
      if (event.data.object.payment_status === 'unpaid') return ignored('completed, not paid yet');
      return aboutPage('page_paid', event.data.object);
    case 'checkout.session.async_payment_succeeded':
      return aboutPage('page_paid', event.data.object);
    case 'checkout.session.async_payment_failed':
      return aboutPage('page_failed', event.data.object);
    case 'checkout.session.expired':
      return aboutPage('page_expired', event.data.object);
    case 'invoice.paid':
      return aboutMonth('month_paid', event.data.object);
    case 'invoice.payment_failed':
      return aboutMonth('month_unpaid', event.data.object);
    case 'customer.subscription.deleted':
      return aboutEnd(event.data.object, terms.fallback);
    case 'charge.refunded':
      return aboutRefund(event.data.object);
    case 'charge.dispute.created':
      return { kind: 'flagged', note: `the payer disputes ${idOf(event.data.object.payment_intent) ?? 'a payment'}` };
    default:
      return ignored('');
  }
}

/** What of ours the metadata names, or null. */
function named(metadata: Stripe.Metadata | null): { of: (typeof things)[number]; id: string; org: string } | null {
  const { netra_org: org = '' } = metadata ?? {};
  const of = things.find((thing) => uuid.test(metadata?.[`netra_${thing}`] ?? ''));
  return of === undefined || !uuid.test(org) ? null : { of, id: metadata?.[`netra_${of}`] ?? '', org };
}

function aboutPage(kind: 'page_paid' | 'page_failed' | 'page_expired', session: Stripe.Checkout.Session): Notice {
  const ours = named(session.metadata);
  if (session.mode !== 'payment' || ours === null) return ignored('not a page of ours');
  return {
    kind,
    ...ours,
    session: session.id,
    customer: idOf(session.customer),
    amount_cents: session.amount_total,
    currency: session.currency,
    payment: idOf(session.payment_intent) ?? session.id,
  };
}

function aboutMonth(kind: 'month_paid' | 'month_unpaid', invoice: Stripe.Invoice): Notice {
  const details = invoice.parent?.subscription_details ?? null;
  const ours = named(details?.metadata ?? null);
  const subscription = idOf(details?.subscription ?? null);
  if (ours === null || subscription === null || invoice.id === undefined) return ignored('not a month of ours');
  const amount_cents = kind === 'month_paid' ? invoice.amount_paid : invoice.amount_due;
  return { kind, org: ours.org, subscription, payment: invoice.id, amount_cents, currency: invoice.currency };
}

function aboutEnd(subscription: Stripe.Subscription, fallback: string): Notice {
  const ours = named(subscription.metadata);
  if (ours === null) return ignored('not a subscription of ours');
  return { kind: 'months_ended', org: ours.org, subscription: subscription.id, fallback };
}

function aboutRefund(charge: Stripe.Charge): Notice {
  const ours = named(charge.metadata);
  const payment = idOf(charge.payment_intent);
  const customer = idOf(charge.customer);
  if (ours === null || payment === null) {
    return customer === null ? ignored('not a payment of ours') : { kind: 'customer_refunded', customer };
  }
  const whole = charge.refunded && charge.amount_refunded === charge.amount;
  const amount_cents = charge.amount_refunded;
  return { kind: 'payment_refunded', org: ours.org, payment, refund: charge.id, amount_cents, whole };
}

/** The id of what Stripe gives as an id or, expanded, as the thing itself. */
function idOf(value: string | { readonly id: string } | null): string | null {
  return typeof value === 'string' ? value : (value?.id ?? null);
}
