import type { Platform } from '../../platform/index.ts';
import type { PageOpened, PageOrder, PaymentProvider } from './provider.ts';
import { keepCustomerStatement } from './sql/purchases.ts';

/** Has the provider open a page, and keeps who the organisation is to it from the first time on. */
export async function openPage(platform: Platform, provider: PaymentProvider, order: PageOrder): Promise<PageOpened> {
  const opened = await provider.openPage(order);
  if (opened.customer_ref !== null && order.customer_ref === null) {
    await platform.postgres.call(keepCustomerStatement(order.org_id, provider.name, opened.customer_ref));
  }
  return opened;
}
