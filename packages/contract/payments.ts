import { z } from 'zod';
import { microCredits } from './events.ts';

const at = z.iso.datetime();

/** Credits on sale, at a net price. Tax is added when an organisation asks for one. */
export const creditPack = z.object({
  pack: z.string(),
  name: z.string(),
  credits_micro: microCredits,
  price_usd: z.string(),
});
export type CreditPack = z.infer<typeof creditPack>;

export const createPurchaseBody = z.object({ pack: z.string().min(1).max(32) });

/**
 * A purchase of credits. While it is pending, the payer goes to `pay_url`, or does as `instructions` say and names the
 * purchase. Credits come when it is paid. `revoked_micro` is what a refund took back.
 */
export const purchase = z.object({
  purchase: z.uuid(),
  pack: z.string(),
  credits_micro: microCredits,
  net_usd: z.string(),
  tax_rate: z.string(),
  tax_name: z.string(),
  tax_note: z.string(),
  tax_usd: z.string(),
  total_usd: z.string(),
  state: z.enum(['pending', 'paid', 'cancelled', 'refunded']),
  provider: z.string(),
  pay_url: z.string().nullable(),
  instructions: z.string().nullable(),
  created_at: at,
  paid_at: at.nullable(),
  ended_at: at.nullable(),
  revoked_micro: microCredits.nullable(),
});
export type Purchase = z.infer<typeof purchase>;

/** Money that came (`payment`, above zero) or went back (`reversal`, below), for one of the three. */
export const payment = z.object({
  payment: z.uuid(),
  kind: z.enum(['payment', 'reversal']),
  purchase: z.uuid().nullable(),
  invoice: z.uuid().nullable(),
  /** Of a plan. */
  checkout: z.uuid().nullable(),
  amount_usd: z.string(),
  provider: z.string(),
  reference: z.string(),
  recorded_at: at,
});
export type Payment = z.infer<typeof payment>;

export const planCheckoutBody = z.object({ plan: z.string().min(1).max(32) });

/**
 * A dearer plan that is paid before it begins: `first_usd` at `pay_url` for the rest of this period, `month_usd` each month
 * from `renews_at` on, tax included. `months` says how those are paid.
 */
export const planCheckout = z.object({
  checkout: z.uuid(),
  plan: z.string(),
  first_usd: z.string(),
  month_usd: z.string(),
  tax_name: z.string(),
  renews_at: at,
  state: z.enum(['pending', 'paid', 'ended']),
  pay_url: z.string().nullable(),
  created_at: at,
  paid_at: at.nullable(),
  months: z.enum(['active', 'past_due', 'ended']).nullable(),
});
export type PlanCheckout = z.infer<typeof planCheckout>;

/** What an invoice has left to pay, and where: a page, or what to do where there is none. */
export const invoicePage = z.object({
  invoice: z.uuid(),
  balance_usd: z.string(),
  pay_url: z.string().nullable(),
  instructions: z.string().nullable(),
});

/** An event was stored. What comes of it shows in what it is about. */
export const eventReceived = z.object({ received: z.literal(true) });
