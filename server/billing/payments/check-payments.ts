import type { Breach, Postgres } from '../../platform/index.ts';
import { checkPaymentsStatement } from './sql/payments.ts';

/** What was paid against what it paid for, over every organisation, read-only. None = they agree. */
export async function checkPayments({
  platform,
}: {
  platform: { readonly postgres: Pick<Postgres, 'call'> };
}): Promise<readonly Breach[]> {
  return platform.postgres.call<Breach>(checkPaymentsStatement());
}
