import {
  createPurchaseBody,
  creditPack,
  eventReceived,
  invoicePage,
  NetraError,
  pageOf,
  pageQuery,
  payment,
  planCheckout,
  planCheckoutBody,
  purchase,
} from '@netra/contract';
import { z } from 'zod';
import {
  cancelPurchase,
  createPlanCheckout,
  createPurchase,
  listPacks,
  listPayments,
  listPurchases,
  payInvoice,
  readPlanCheckout,
  readPurchase,
  receiveStripeEvent,
  type PlanCheckoutRow,
  type PurchaseRow,
} from '../../billing/index.ts';
import { route, type NetraApp } from '../index.ts';

const params = z.object({ purchase: z.uuid() });
/** Events carry one object; a longer body is none. */
const maxEvent_bytes = 512 * 1024;

function shown({ purchase_id, pack_id, ...row }: PurchaseRow) {
  return { ...row, purchase: purchase_id, pack: pack_id };
}

function shownPlan({ checkout_id, plan_id, ...row }: PlanCheckoutRow) {
  return { ...row, checkout: checkout_id, plan: plan_id };
}

/** Credits for sale, what the caller's organisation bought and paid, and where Stripe tells of payments. */
export function paymentRoutes(app: NetraApp): void {
  route(app, 'listPacks', {
    response: pageOf(creditPack),
    async handle({ ctx }) {
      const packs = await listPacks({ platform: ctx.platform });
      return { items: packs.map(({ pack_id, ...pack }) => ({ ...pack, pack: pack_id })), next: null };
    },
  });
  route(app, 'createPurchase', {
    body: createPurchaseBody,
    response: purchase,
    handle: async ({ ctx, body, idempotency_key: key }) =>
      shown(await createPurchase({ ctx, input: { pack: body.pack, key } })),
  });
  route(app, 'listPurchases', {
    query: pageQuery,
    response: pageOf(purchase),
    async handle({ ctx, query }) {
      const { items, next } = await listPurchases({ ctx, input: query });
      return { items: items.map(shown), next };
    },
  });
  route(app, 'readPurchase', {
    params,
    response: purchase,
    handle: async ({ ctx, params: named }) =>
      shown(await readPurchase({ ctx, input: { purchase_id: named.purchase } })),
  });
  route(app, 'cancelPurchase', {
    params,
    response: purchase,
    handle: async ({ ctx, params: named }) =>
      shown(await cancelPurchase({ ctx, input: { purchase_id: named.purchase } })),
  });
  route(app, 'listPayments', {
    query: pageQuery,
    response: pageOf(payment),
    async handle({ ctx, query }) {
      const { items, next } = await listPayments({ ctx, input: query });
      const rows = items.map(({ payment_id, purchase_id, invoice_id, checkout_id, provider_ref, ...row }) => ({
        ...row,
        payment: payment_id,
        purchase: purchase_id,
        invoice: invoice_id,
        checkout: checkout_id,
        reference: provider_ref,
      }));
      return { items: rows, next };
    },
  });
  planAndInvoiceRoutes(app);
  stripeRoute(app);
}

/** What is paid first, and what is paid after. */
function planAndInvoiceRoutes(app: NetraApp): void {
  route(app, 'createPlanCheckout', {
    body: planCheckoutBody,
    response: planCheckout,
    handle: async ({ ctx, body, idempotency_key: key }) =>
      shownPlan(await createPlanCheckout({ ctx, input: { plan: body.plan, key } })),
  });
  route(app, 'readPlanCheckout', {
    params: z.object({ checkout: z.uuid() }),
    response: planCheckout,
    handle: async ({ ctx, params: named }) =>
      shownPlan(await readPlanCheckout({ ctx, input: { checkout_id: named.checkout } })),
  });
  route(app, 'payInvoice', {
    params: z.object({ invoice: z.uuid() }),
    response: invoicePage,
    async handle({ ctx, params: named, idempotency_key: key }) {
      const { invoice_id, ...page } = await payInvoice({ ctx, input: { invoice_id: named.invoice, key } });
      return { ...page, invoice: invoice_id };
    },
  });
}

function stripeRoute(app: NetraApp): void {
  route(app, 'receiveStripeEvent', {
    response: eventReceived,
    bodyLimit: maxEvent_bytes,
    signature: 'stripe-signature',
    async handle({ ctx, request }) {
      const { body, headers } = request;
      if (!Buffer.isBuffer(body)) throw new NetraError('invalid_request', 'Send the event as JSON.');
      const signature = String(headers['stripe-signature']);
      await receiveStripeEvent({ platform: ctx.platform, body, signature });
      return { received: true as const };
    },
  });
}
