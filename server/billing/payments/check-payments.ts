import type { Postgres } from '../../platform/index.ts';
import { checkPaymentsStatement, type PaymentBreach } from './sql/payments.ts';

/** What was paid against what it paid for, over every organisation, read-only. None = they agree. */
export async function checkPayments({
  platform,
}: {
  platform: { readonly postgres: Pick<Postgres, 'call'> };
}): Promise<readonly PaymentBreach[]> {
  return platform.postgres.call<PaymentBreach>(checkPaymentsStatement());
}
