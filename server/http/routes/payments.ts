import {
  createPurchaseBody,
  creditPack,
  eventReceived,
  NetraError,
  pageOf,
  pageQuery,
  payment,
  purchase,
} from '@netra/contract';
import { z } from 'zod';
import {
  cancelPurchase,
  createPurchase,
  listPacks,
  listPayments,
  listPurchases,
  readPurchase,
  receiveStripeEvent,
  type PurchaseRow,
} from '../../billing/index.ts';
import { route, type NetraApp } from '../index.ts';

const params = z.object({ purchase: z.uuid() });
/** Events carry one object; a longer body is none. */
const maxEvent_bytes = 512 * 1024;

function shown({ purchase_id, pack_id, ...row }: PurchaseRow) {
  return { ...row, purchase: purchase_id, pack: pack_id };
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
      const rows = items.map(({ payment_id, purchase_id, invoice_id, provider_ref, ...row }) => ({
        ...row,
        payment: payment_id,
        purchase: purchase_id,
        invoice: invoice_id,
        reference: provider_ref,
      }));
      return { items: rows, next };
    },
  });
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
