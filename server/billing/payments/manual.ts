import type { PaymentProvider } from './provider.ts';

/**
 * No provider at all: the payer is told how to pay by whoever runs the installation (the seller's notes), and the
 * operator says when the money has come (`netra admin purchase paid`, `netra admin payment record`) or gone back.
 */
export const manualProvider: PaymentProvider = {
  name: 'manual',
  openPage: async () => ({ provider_ref: null, pay_url: null, customer_ref: null }),
  closePage: async () => {},
  refund: async ({ purchase_id }) => `refund of ${purchase_id}`,
};
