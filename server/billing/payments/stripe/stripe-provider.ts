import Stripe from 'stripe';
import { NetraError } from '@netra/contract';
import type { MonthsOrder, PageOrder, PaymentProvider } from '../provider.ts';
import {
  changeRequest,
  customerRequest,
  keyOf,
  monthsRequest,
  pageRequest,
  productOf,
  refundRequest,
} from './requests.ts';

export interface StripeAccess {
  readonly key: string;
  /** Where the API is; null = at Stripe. */
  readonly url: string | null;
  /** Where a payer comes back to. */
  readonly base_url: string;
}

/** A caller waits for the answer, and a route has 30 s. */
const timeout_ms = 8_000;

/** Stripe by its own library, at the API version that the library is made for. */
export function stripeProvider({ key, url, base_url }: StripeAccess): PaymentProvider {
  const stripe = new Stripe(key, { ...placeOf(url), timeout: timeout_ms, maxNetworkRetries: 1, telemetry: false });
  return {
    name: 'stripe',
    openPage: (order) => asking(() => openPage(stripe, order, base_url)),
    closePage: (provider_ref) => asking(() => closePage(stripe, provider_ref)),
    refund: (order) =>
      asking(async () => {
        const idempotencyKey = keyOf.refund(order.purchase_id);
        const { id } = await stripe.refunds.create(refundRequest(order), { idempotencyKey });
        return id;
      }),
    months: {
      begin: (order) => asking(() => beginMonths(stripe, order)),
      change: (subscription_ref, order) => asking(() => changeMonths(stripe, subscription_ref, order)),
      end: (subscription_ref, when) => asking(() => endMonths(stripe, subscription_ref, when)),
    },
  };
}

function placeOf(url: string | null): { host?: string; port?: string; protocol?: 'http' | 'https' } {
  if (url === null) return {};
  const { protocol, hostname, port } = new URL(url);
  const scheme = protocol === 'http:' ? 'http' : 'https';
  return { host: hostname, protocol: scheme, port: port === '' ? { http: '80', https: '443' }[scheme] : port };
}

async function openPage(stripe: Stripe, order: PageOrder, base_url: string) {
  const customer_ref = order.customer_ref ?? (await createCustomer(stripe, order));
  const session = await stripe.checkout.sessions.create(pageRequest(order, customer_ref, base_url), {
    idempotencyKey: keyOf.page(order.request),
  });
  return { provider_ref: session.id, pay_url: session.url, customer_ref };
}

async function createCustomer(stripe: Stripe, order: PageOrder): Promise<string> {
  const idempotencyKey = keyOf.customer(order.org_id);
  const { id } = await stripe.customers.create(customerRequest(order), { idempotencyKey });
  return id;
}

async function closePage(stripe: Stripe, provider_ref: string): Promise<void> {
  const session = await stripe.checkout.sessions.retrieve(provider_ref);
  if (session.status === 'expired') return;
  if (session.status === 'complete') {
    throw new NetraError('conflict', 'This has been paid, or is being paid; it will show soon.');
  }
  await stripe.checkout.sessions.expire(provider_ref);
}

async function beginMonths(stripe: Stripe, order: MonthsOrder): Promise<string> {
  const { payment_method: paid_by } = await stripe.paymentIntents.retrieve(order.payment_ref);
  const payment_method = typeof paid_by === 'string' ? paid_by : paid_by?.id;
  if (payment_method === undefined)
    throw new NetraError('conflict', 'The payment names no means that can be used again.');
  await createProduct(stripe, order.plan_id);
  const { id } = await stripe.subscriptions.create(monthsRequest(order, payment_method), {
    idempotencyKey: keyOf.months(order.checkout_id),
  });
  return id;
}

async function createProduct(stripe: Stripe, plan_id: string): Promise<void> {
  try {
    await stripe.products.create({ id: productOf(plan_id), name: `Plan ${plan_id}` });
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError) || error.code !== 'resource_already_exists') throw error;
  }
}

async function changeMonths(
  stripe: Stripe,
  subscription_ref: string,
  order: Pick<MonthsOrder, 'plan_id' | 'month_usd'>,
): Promise<void> {
  const { items } = await stripe.subscriptions.retrieve(subscription_ref);
  const [item] = items.data;
  if (item === undefined) throw new NetraError('conflict', 'The subscription at Stripe has no line to change.');
  await createProduct(stripe, order.plan_id);
  await stripe.subscriptions.update(subscription_ref, changeRequest(order, item.id));
}

async function endMonths(stripe: Stripe, subscription_ref: string, when: 'with_period' | 'now'): Promise<void> {
  const { status } = await stripe.subscriptions.retrieve(subscription_ref);
  if (status === 'canceled' || status === 'incomplete_expired') return;
  if (when === 'now') await stripe.subscriptions.cancel(subscription_ref, { invoice_now: false, prorate: false });
  else await stripe.subscriptions.update(subscription_ref, { cancel_at_period_end: true });
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
