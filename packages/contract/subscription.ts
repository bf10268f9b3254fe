import { z } from 'zod';
import { microCredits } from './events.ts';

const at = z.iso.datetime();

/** An organisation's subscription. `next_plan` waits for the end of the period; cancelled, it is what it falls to. */
export const subscription = z.object({
  subscription: z.uuid(),
  plan: z.string(),
  price_usd: z.string(),
  credits_micro: microCredits,
  period: z.number().int().nonnegative(),
  period_start: at,
  period_end: at,
  next_plan: z.string().nullable(),
  cancelled_at: at.nullable(),
  /** The plan that a cancellation ended, until another is chosen: what reactivation brings back. */
  ended_plan: z.string().nullable(),
  plan_ended_at: at.nullable(),
  /** What happens beyond the credits: `stop`, up to a `cap` that the owner sets, or a `soft` limit. */
  overage: z.enum(['stop', 'cap', 'soft']),
  overage_usd_credit: z.string().nullable(),
});
export type Subscription = z.infer<typeof subscription>;

export const changePlanBody = z.object({ plan: z.string().min(1).max(32) });
/** What became of a change: an upgrade counts at once, a downgrade from `effective_at` on. */
export const planChange = z.object({
  plan: z.string(),
  next_plan: z.string().nullable(),
  effective_at: at,
  granted_micro: microCredits,
});
