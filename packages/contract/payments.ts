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

/** Money that came (`payment`, above zero) or went back (`reversal`, below), for a purchase or an invoice. */
export const payment = z.object({
  payment: z.uuid(),
  kind: z.enum(['payment', 'reversal']),
  purchase: z.uuid().nullable(),
  invoice: z.uuid().nullable(),
  amount_usd: z.string(),
  provider: z.string(),
  reference: z.string(),
  recorded_at: at,
});
export type Payment = z.infer<typeof payment>;

/** An event was stored. What comes of it shows in what it is about. */
export const eventReceived = z.object({ received: z.literal(true) });
