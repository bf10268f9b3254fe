import type { Platform } from '../../platform/index.ts';
import { manualProvider } from './manual.ts';

/** One page where one amount is paid, for one thing of ours. */
export interface PageOrder {
  readonly of: 'purchase' | 'plan' | 'invoice';
  /** Ours: of the purchase, the plan's checkout or the invoice. */
  readonly id: string;
  /** What this request is: the same again is the same page. */
  readonly request: string;
  readonly org_id: string;
  readonly org_name: string;
  readonly title: string;
  /** Tax included, dollars and cents as a decimal string. */
  readonly total_usd: string;
  /** Null = the page says nothing of it. */
  readonly tax_name: string | null;
  /** Who the organisation is to the provider, if it has been there before. */
  readonly customer_ref: string | null;
}

/** Where the payer goes, and what the provider knows the page by. */
export interface PageOpened {
  readonly provider_ref: string | null;
  readonly pay_url: string | null;
  readonly customer_ref: string | null;
}

export interface RefundOrder {
  readonly purchase_id: string;
  readonly payment_ref: string;
  readonly total_usd: string;
}

/** What is to be collected each month, beginning at `renews_at`, as the plan's first payment was paid. */
export interface MonthsOrder {
  readonly org_id: string;
  readonly checkout_id: string;
  readonly customer_ref: string;
  readonly payment_ref: string;
  readonly plan_id: string;
  readonly month_usd: string;
  readonly renews_at: Date;
}

/**
 * Who carries money. Its calls leave this machine, so none is ever made inside a database transaction: the effect comes
 * first, then what became of it is recorded; and each can be repeated, since it carries a key made from our own id, or
 * says how things should be. What a provider does later it tells through the inbox (`receiveStripeEvent`).
 */
export interface PaymentProvider {
  readonly name: 'manual' | 'stripe';
  /** Throws `unavailable` where the provider cannot be asked; nothing was written then. */
  openPage(order: PageOrder): Promise<PageOpened>;
  /** Sees to it that nobody can pay there any more. Throws `conflict` where somebody has. */
  closePage(provider_ref: string): Promise<void>;
  /** Sends the money back; answers with the provider's name for that. */
  refund(order: RefundOrder): Promise<string>;
  /** Absent where the provider collects nothing by itself. */
  readonly months?: {
    /** Answers with the provider's name for what it collects each month. */
    begin(order: MonthsOrder): Promise<string>;
    /** From the next month on, another amount; takes an end back. */
    change(subscription_ref: string, order: Pick<MonthsOrder, 'plan_id' | 'month_usd'>): Promise<void>;
    /** With the month that was paid, or now; nothing is charged for it. */
    end(subscription_ref: string, when: 'with_period' | 'now'): Promise<void>;
  };
}

/** The provider that this installation was told to use. */
export async function providerOf(platform: Platform): Promise<PaymentProvider> {
  const { payments, public_url } = platform.config;
  if (payments.provider === 'manual') return manualProvider;
  // Loaded where it is used: the library is large, and most installations have no use for it.
  const { stripeProvider } = await import('./stripe/stripe-provider.ts');
  return stripeProvider({ key: payments.key, url: payments.url, base_url: public_url ?? 'http://localhost' });
}
