import type { Statement } from '../../../platform/index.ts';

/** `known`: the key has made this checkout before; the rest is then what it was made at. */
export interface PlanQuote {
  readonly known: boolean;
  readonly checkout_id: string;
  readonly plan_id: string;
  readonly plan_us: bigint;
  readonly first_usd: string;
  readonly month_usd: string;
  readonly tax_name: string;
  readonly renews_us: bigint;
  readonly org_name: string;
  readonly customer_ref: string | null;
  /** Pages that are still open for a plan of the organisation. */
  readonly open_pages: readonly string[];
}

export function quotePlanStatement(org_id: string, id: string, plan: string, provider: string, key: string): Statement {
  return {
    text: `select known, checkout_id, plan_id, (extract(epoch from plan_valid_from) * 1000000)::bigint as plan_us,
                  first_usd, month_usd, tax_name, (extract(epoch from renews_at) * 1000000)::bigint as renews_us,
                  org_name, customer_ref, open_pages
             from netra.quote_plan_checkout($1, $2, $3, $4, $5)`,
    values: [org_id, id, plan, provider, key],
  };
}

export interface NewPlanCheckout {
  readonly org_id: string;
  readonly quote: PlanQuote;
  readonly provider: string;
  readonly provider_ref: string | null;
  readonly pay_url: string | null;
  readonly closed_pages: readonly string[];
  readonly created_by: string;
  readonly key: string;
}

export function openPlanCheckoutStatement(checkout: NewPlanCheckout): Statement {
  const { org_id, quote, provider, provider_ref, pay_url, closed_pages, created_by, key } = checkout;
  const { checkout_id, plan_id, plan_us, first_usd, month_usd, tax_name, renews_us } = quote;
  return {
    text: `select netra.open_plan_checkout($1, $2, $3, to_timestamp(0) + $4::bigint * interval '1 microsecond', $5, $6,
                    $7, to_timestamp(0) + $8::bigint * interval '1 microsecond', $9, $10, $11, $12, $13, $14)
                  as checkout_id`,
    values: [
      org_id,
      checkout_id,
      plan_id,
      plan_us,
      first_usd,
      month_usd,
      tax_name,
      renews_us,
      provider,
      provider_ref,
      pay_url,
      closed_pages,
      created_by,
      key,
    ],
  };
}

export interface PlanCheckoutRow {
  readonly checkout_id: string;
  readonly plan_id: string;
  /** Asked for at once, and each month from `renews_at` on. Tax included. */
  readonly first_usd: string;
  readonly month_usd: string;
  readonly tax_name: string;
  readonly renews_at: Date;
  readonly state: 'pending' | 'paid' | 'ended';
  readonly pay_url: string | null;
  readonly created_at: Date;
  readonly paid_at: Date | null;
  /** How the months that follow stand; null before the first is paid. */
  readonly months: 'active' | 'past_due' | 'ended' | null;
}

export function readPlanCheckoutStatement(org_id: string, checkout_id: string): Statement {
  return {
    text: `select c.checkout_id, c.plan_id, c.first_usd::text as first_usd, c.month_usd::text as month_usd, c.tax_name,
                  c.renews_at, c.state, case c.state when 'pending' then c.pay_url end as pay_url, c.created_at,
                  c.paid_at, s.state as months
             from netra.plan_checkout c
             left join netra.payment_subscription s on s.org_id = c.org_id and s.checkout_id = c.checkout_id
            where c.org_id = $1 and c.checkout_id = $2`,
    values: [org_id, checkout_id],
  };
}

/** What the provider is to be told of a subscription, and what it was told last. */
export interface ToTell {
  readonly org_id: string;
  readonly checkout_id: string;
  readonly subscription_ref: string | null;
  readonly customer_ref: string;
  readonly payment_ref: string;
  readonly want: 'renew' | 'end_with_period' | 'end_now';
  readonly plan_id: string;
  readonly month_usd: string;
  readonly told: ToTell['want'] | null;
  readonly told_usd: string | null;
  readonly renews_at: Date;
  readonly version: number;
}

export function subscriptionsToTellStatement(provider: string, limit: number): Statement {
  return {
    text: `select org_id, checkout_id, subscription_ref, customer_ref, payment_ref, want, plan_id, month_usd, told,
                  told_usd, renews_at, version
             from netra.subscriptions_to_tell($1, $2)`,
    values: [provider, limit],
  };
}

export function toldSubscriptionStatement(row: ToTell, subscription_ref: string | null): Statement {
  const { org_id, checkout_id, want, month_usd, version } = row;
  return {
    text: 'select netra.told_subscription($1, $2, $3, $4, $5, $6)',
    values: [org_id, checkout_id, subscription_ref, want, month_usd, version],
  };
}

export function postponeTellingStatement({ org_id, checkout_id }: ToTell): Statement {
  return { text: 'select netra.postpone_telling($1, $2)', values: [org_id, checkout_id] };
}
