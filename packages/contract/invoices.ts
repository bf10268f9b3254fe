import { z } from 'zod';

const at = z.iso.datetime();
/** Dollars and cents, exact; negative on a credit note. */
const usd = z.string().regex(/^-?\d+\.\d\d$/);
const decimal = z.string().regex(/^-?\d+(\.\d+)?$/);

/** Whom an organisation's invoices are made out to; `country` as in ISO 3166-1, `vat_id` null for a consumer. */
export const billingProfile = z.object({
  name: z.string(),
  address: z.string(),
  country: z.string(),
  vat_id: z.string().nullable(),
  email: z.string().nullable(),
});
export const billingProfileBody = z.object({
  name: z.string().trim().min(1).max(200),
  address: z.string().trim().min(1).max(500),
  country: z.string().trim().length(2),
  vat_id: z.string().trim().min(1).max(40).nullable().default(null),
  email: z.email().max(254).nullable().default(null),
});

/** An invoice, or a credit note (whose amounts are negative, and whose state is `issued`). */
export const invoiceHead = z.object({
  invoice: z.uuid(),
  kind: z.enum(['invoice', 'credit_note']),
  number: z.string(),
  state: z.enum(['open', 'paid', 'credited', 'issued']),
  issued_at: at,
  due_at: at,
  paid_at: at.nullable(),
  period_start: at.nullable(),
  period_end: at.nullable(),
  /** A credit note's: the number of the invoice that it corrects. */
  corrects: z.string().nullable(),
  reason: z.string().nullable(),
  currency: z.string(),
  net_usd: usd,
  tax_usd: usd,
  total_usd: usd,
  /** Paid when it was bought, and so no part of what is due. */
  prepaid_usd: usd,
  due_usd: usd,
  /** What credit notes took back of it. */
  credited_usd: usd,
});
export type InvoiceHead = z.infer<typeof invoiceHead>;

export const invoiceLine = z.object({
  line: z.number().int().positive(),
  kind: z.enum(['base', 'upgrade', 'overage', 'purchase', 'credit']),
  description: z.string(),
  /** Credits, where credits are sold. */
  quantity: decimal.nullable(),
  unit_usd: decimal.nullable(),
  /** Before it was rounded, half-even, to `net_usd`. */
  exact_usd: decimal,
  net_usd: usd,
  /** A fraction: 0.2100 is 21 %. */
  tax_rate: decimal,
  tax_name: z.string(),
  tax_note: z.string(),
  tax_usd: usd,
  agent: z.string().nullable(),
});

const party = z.object({ name: z.string(), address: z.string().nullable(), country: z.string().nullable() });
export const invoice = invoiceHead.extend({
  seller: party.extend({ tax_id: z.string().nullable(), notes: z.string() }),
  buyer: party.extend({ vat_id: z.string().nullable(), email: z.string().nullable() }),
  lines: z.array(invoiceLine),
});
