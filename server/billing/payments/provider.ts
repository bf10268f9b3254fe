import type { Platform } from '../../platform/index.ts';
import { manualProvider } from './manual.ts';

export interface PurchaseOrder {
  readonly org_id: string;
  readonly org_name: string;
  readonly purchase_id: string;
  readonly pack_name: string;
  /** Tax included, dollars and cents as a decimal string. */
  readonly total_usd: string;
  readonly tax_name: string;
  /** Who the organisation is to the provider, if it has been there before. */
  readonly customer_ref: string | null;
}

/** Where the payer goes, and what the provider knows the purchase by. */
export interface PurchaseStarted {
  readonly provider_ref: string | null;
  readonly pay_url: string | null;
  readonly customer_ref: string | null;
}

export interface RefundOrder {
  readonly purchase_id: string;
  readonly payment_ref: string;
  readonly total_usd: string;
}

/**
 * Who carries money. Its calls leave this machine, so none is ever made inside a database transaction: the effect comes
 * first, then what became of it is recorded; and each can be repeated, since it carries a key made from our own id. What
 * a provider does later it tells through the inbox (`receiveStripeEvent`).
 */
export interface PaymentProvider {
  readonly name: 'manual' | 'stripe';
  /** Throws `unavailable` where the provider cannot be asked; nothing was written then. */
  startPurchase(order: PurchaseOrder): Promise<PurchaseStarted>;
  /** Sees to it that nobody can pay any more. Throws `conflict` where somebody has. */
  cancelPurchase(provider_ref: string): Promise<void>;
  /** Sends the money back; answers with the provider's name for that. */
  refund(order: RefundOrder): Promise<string>;
}

/** The provider that this installation was told to use. */
export async function providerOf(platform: Platform): Promise<PaymentProvider> {
  const { payments } = platform.config;
  if (payments.provider === 'manual') return manualProvider;
  // Loaded where it is used: the library is large, and most installations have no use for it.
  const { stripeProvider } = await import('./stripe/stripe-provider.ts');
  return stripeProvider({ key: payments.key, base_url: platform.config.public_url ?? 'http://localhost' });
}
