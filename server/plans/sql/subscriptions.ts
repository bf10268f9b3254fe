import type { Statement } from '../../platform/index.ts';

/** The organisation's subscription in its current period. */
export interface SubscriptionRow {
  readonly subscription_id: string;
  readonly plan_id: string;
  /** Exact decimal. */
  readonly price_usd: string;
  readonly credits_micro: bigint;
  /** The plan that waits for the end of the period; of a cancelled subscription, what it falls to. */
  readonly next_plan_id: string | null;
  readonly cancelled_at: Date | null;
  /** The plan that a cancellation ended last, until another is chosen. */
  readonly ended_plan_id: string | null;
  readonly plan_ended_at: Date | null;
  readonly period_index: number;
  readonly period_start: Date;
  readonly period_end: Date;
  readonly overage: 'stop' | 'cap' | 'soft';
  /** Exact decimal; null where nothing is sold beyond the credits. */
  readonly overage_usd_credit: string | null;
}

export function readSubscriptionStatement(org_id: string): Statement {
  return {
    name: 'plans.read_subscription',
    text: `select subscription_id, plan_id, price_usd, credits_micro, next_plan_id, cancelled_at, ended_plan_id,
                  plan_ended_at, period_index, period_start, period_end, overage, overage_usd_credit
             from netra.read_subscription($1)`,
    values: [org_id],
  };
}

export function cancelSubscriptionStatement(org_id: string, fallback: string): Statement {
  return {
    name: 'plans.cancel_subscription',
    text: 'select netra.cancel_subscription($1, $2)',
    values: [org_id, fallback],
  };
}

export function reactivateSubscriptionStatement(org_id: string): Statement {
  return {
    name: 'plans.reactivate_subscription',
    text: 'select netra.reactivate_subscription($1)',
    values: [org_id],
  };
}

/** As above; refuses a plan that ended and is to be paid first. */
export function reactivateUnpaidPlanStatement(org_id: string): Statement {
  return {
    name: 'plans.reactivate_unpaid_plan',
    text: 'select netra.reactivate_unpaid_plan($1)',
    values: [org_id],
  };
}
