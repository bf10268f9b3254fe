import Stripe from 'stripe';
import { NetraError } from '@netra/contract';
import type { PaymentProvider, PurchaseOrder } from '../provider.ts';
import { customerRequest, keyOf, purchaseRequest, refundRequest } from './requests.ts';

export interface StripeAccess {
  readonly key: string;
  /** Where a payer comes back to. */
  readonly base_url: string;
}

/** A caller waits for the answer, and a route has 30 s. */
const timeout_ms = 8_000;

/** Stripe by its own library, at the API version that the library is made for. */
export function stripeProvider({ key, base_url }: StripeAccess): PaymentProvider {
  const stripe = new Stripe(key, { timeout: timeout_ms, maxNetworkRetries: 1, telemetry: false });
  return {
    name: 'stripe',
    startPurchase: (order) => asking(() => startPurchase(stripe, order, base_url)),
    cancelPurchase: (provider_ref) => asking(() => expireCheckout(stripe, provider_ref)),
    refund: (order) =>
      asking(async () => {
        const idempotencyKey = keyOf.refund(order.purchase_id);
        const { id } = await stripe.refunds.create(refundRequest(order), { idempotencyKey });
        return id;
      }),
  };
}

async function startPurchase(stripe: Stripe, order: PurchaseOrder, base_url: string) {
  const customer_ref = order.customer_ref ?? (await createCustomer(stripe, order));
  const session = await stripe.checkout.sessions.create(purchaseRequest(order, customer_ref, base_url), {
    idempotencyKey: keyOf.purchase(order.purchase_id),
  });
  return { provider_ref: session.id, pay_url: session.url, customer_ref };
}

async function createCustomer(stripe: Stripe, order: PurchaseOrder): Promise<string> {
  const idempotencyKey = keyOf.customer(order.org_id);
  const { id } = await stripe.customers.create(customerRequest(order), { idempotencyKey });
  return id;
}

async function expireCheckout(stripe: Stripe, provider_ref: string): Promise<void> {
  const session = await stripe.checkout.sessions.retrieve(provider_ref);
  if (session.status === 'expired') return;
  if (session.status === 'complete') {
    throw new NetraError('conflict', 'This purchase has been paid, or is being paid; it will show soon.');
  }
  await stripe.checkout.sessions.expire(provider_ref);
}

/** What a caller is told when Stripe does not do it. Stripe's own words may quote the key, so they are not repeated. */
async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    const facts = { provider: 'stripe', type: error.type, ...(error.code === undefined ? {} : { reason: error.code }) };
    if (error instanceof Stripe.errors.StripeIdempotencyError) {
      throw new NetraError('conflict', 'This was asked for before on other terms; use a new Idempotency-Key.', facts);
    }
    throw new NetraError('unavailable', whatToDo(error), facts);
  }
}

function whatToDo(error: Stripe.errors.StripeError): string {
  if (
    error instanceof Stripe.errors.StripeAuthenticationError ||
    error instanceof Stripe.errors.StripePermissionError
  ) {
    return 'Stripe does not accept the key of this installation; its operator must set NETRA_STRIPE_KEY.';
  }
  if (error instanceof Stripe.errors.StripeInvalidRequestError) {
    return 'Stripe refused the request; the operator finds it in the log of the Stripe account.';
  }
  return 'Stripe cannot be reached now; nothing was charged. Try again with the same Idempotency-Key.';
}
