import type { Platform } from '../../../platform/index.ts';
import { providerOf, type PaymentProvider } from '../provider.ts';
import {
  postponeTellingStatement,
  subscriptionsToTellStatement,
  toldSubscriptionStatement,
  type ToTell,
} from '../sql/plan-checkouts.ts';

const perRun = 100;
/** No further one is begun after that: jobs wait for each other, and a provider that is down takes long to say so. */
const maxRun_ms = 15_000;

type Months = NonNullable<PaymentProvider['months']>;

/**
 * Has the provider collect what the plans cost: begins what was just paid for the first time, changes the amount where the
 * plan or its price will change, ends what was cancelled or replaced. One that fails is told again some minutes later, and
 * holds no other up. Resolves to how many were told.
 */
export async function tellSubscriptions({ platform }: { platform: Platform }): Promise<{ told: number }> {
  const { name, months } = await providerOf(platform);
  if (months === undefined) return { told: 0 };
  const until_ms = platform.clock.nowMs() + maxRun_ms;
  let told = 0;
  for (const row of await platform.postgres.call<ToTell>(subscriptionsToTellStatement(name, perRun))) {
    if (platform.clock.nowMs() > until_ms) break;
    try {
      const subscription_ref = await tell(months, row);
      await platform.postgres.call(toldSubscriptionStatement(row, subscription_ref));
      told += 1;
    } catch (error) {
      const { org_id, checkout_id, want } = row;
      platform.log.error({ err: error, org_id, checkout_id, want }, 'the payment provider could not be told');
      await platform.postgres.call(postponeTellingStatement(row));
    }
  }
  return { told };
}

/** Resolves to the provider's name for it; null where it never began and need not any more. */
async function tell(months: Months, row: ToTell): Promise<string | null> {
  const { subscription_ref: known, want, told } = row;
  if (known === null) return want === 'renew' ? months.begin(row) : null;
  if (want === 'renew') {
    if (told !== 'renew' || row.told_usd !== row.month_usd) await months.change(known, row);
  } else if (told !== want) {
    await months.end(known, want === 'end_now' ? 'now' : 'with_period');
  }
  return known;
}
