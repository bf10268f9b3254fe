import { z } from 'zod';
import { amountMicro, microCredits } from './events.ts';

const at = z.iso.datetime();

/** What an organisation allows itself in a period, beside its plan; null = not capped. They are replaced together. */
export const spendingCapsBody = z.object({
  /** Beyond the plan’s credits. A plan that sells them up to a cap sells none until this is set. */
  overage_micro: amountMicro.nullable(),
  /** All that is spent or held, by everybody. */
  total_micro: amountMicro.nullable(),
  /** All that is spent or held, by each member. */
  member_micro: amountMicro.nullable(),
});
export type SpendingCapsBody = z.infer<typeof spendingCapsBody>;

export const spending = z.object({
  period_start: at,
  period_end: at,
  caps: z.object({
    overage_micro: microCredits.nullable(),
    total_micro: microCredits.nullable(),
    member_micro: microCredits.nullable(),
    set_by: z.string().nullable(),
    set_at: at.nullable(),
  }),
  /** Beyond the credits: never (`stop`), up to the owner’s cap (`cap`), or freely unless capped (`soft`). */
  overage: z.enum(['stop', 'cap', 'soft']),
  overage_usd_credit: z.string().nullable(),
  overage_used_micro: microCredits,
  /** Spent or held in this period, by the organisation and by the caller; null where no cap makes it be counted. */
  total_used_micro: microCredits.nullable(),
  member_used_micro: microCredits.nullable(),
});
export type Spending = z.infer<typeof spending>;

export const quoteBody = z.object({
  agent: z.string().min(1).max(64),
  input: z.unknown().optional(),
  max_credits_micro: amountMicro.optional(),
});
export type QuoteBody = z.input<typeof quoteBody>;

/** What a run would cost. Nothing is held: prices and balance are those of the moment. */
export const quote = z.object({
  agent: z.string(),
  model: z.string(),
  fee_micro: microCredits,
  /** Null: this organisation has no past runs to tell by. */
  expected_micro: microCredits.nullable(),
  /** What the run cannot pass: its bounds at the model’s price, or its own cap. */
  highest_micro: microCredits,
  /** Where `expected_micro` comes from. */
  basis: z.object({
    kind: z.enum(['history', 'no_model_cost', 'no_history', 'not_charged']),
    /** How many past runs of this agent and model, of this organisation. */
    runs: z.number().int().nonnegative(),
    percentile: z.number().int().nullable(),
  }),
  balance_micro: microCredits,
  /** After a run of the expected cost; negative = drawn beyond the credits. */
  balance_after_micro: microCredits.nullable(),
  can_start: z.boolean(),
  can_pay_highest: z.boolean(),
});
export type Quote = z.infer<typeof quote>;
