import { billingProfile, billingProfileBody, invoice, invoiceHead, pageOf, pageQuery } from '@netra/contract';
import { z } from 'zod';
import {
  listInvoices,
  readBillingProfile,
  readInvoice,
  renderCsv,
  renderPdf,
  writeBillingProfile,
} from '../../billing/index.ts';
import { route, sendFile, type NetraApp } from '../index.ts';

const invoiceParam = z.object({ invoice: z.uuid() });

function shown<Row extends { readonly invoice_id: string }>({ invoice_id, ...row }: Row) {
  return { ...row, invoice: invoice_id };
}

/** What an organisation was billed, and whom it is made out to: the owner's and the admins' matter. */
export function invoiceRoutes(app: NetraApp): void {
  route(app, 'readBillingProfile', {
    response: billingProfile,
    handle: ({ ctx }) => readBillingProfile({ ctx, input: {} }),
  });
  route(app, 'writeBillingProfile', {
    body: billingProfileBody,
    response: billingProfile,
    handle: ({ ctx, body }) => writeBillingProfile({ ctx, input: body }),
  });
  route(app, 'listInvoices', {
    query: pageQuery,
    response: pageOf(invoiceHead),
    async handle({ ctx, query }) {
      const { items, next } = await listInvoices({ ctx, input: query });
      return { items: items.map(shown), next };
    },
  });
  route(app, 'readInvoice', {
    params: invoiceParam,
    response: invoice,
    handle: async ({ ctx, params }) => shown(await readInvoice({ ctx, input: { invoice_id: params.invoice } })),
  });
  route(app, 'readInvoicePdf', {
    params: invoiceParam,
    response: z.unknown(),
    async handle({ ctx, params, reply }) {
      const found = await readInvoice({ ctx, input: { invoice_id: params.invoice } });
      const bytes = await renderPdf(found);
      return sendFile(reply, { name: `${found.number}.pdf`, type: 'application/pdf', bytes });
    },
  });
  route(app, 'readInvoiceCsv', {
    params: invoiceParam,
    response: z.unknown(),
    async handle({ ctx, params, reply }) {
      const found = await readInvoice({ ctx, input: { invoice_id: params.invoice } });
      return sendFile(reply, { name: `${found.number}.csv`, type: 'text/csv; charset=utf-8', bytes: renderCsv(found) });
    },
  });
}
