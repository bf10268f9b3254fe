import type { Platform } from '../../../platform/index.ts';
import { providerOf, type PaymentProvider } from '../provider.ts';
import { subscriptionsToTellStatement, toldSubscriptionStatement, type ToTell } from '../sql/plan-checkouts.ts';

/** Each is a request or two that leave this machine, one after the other. */
const perRun = 100;

type Months = NonNullable<PaymentProvider['months']>;

/**
 * Has the provider collect what the plans cost: begins what was just paid for the first time, changes the amount where the
 * plan or its price will change, ends what was cancelled or replaced. One that fails is told again the next time, and
 * holds no other up. Resolves to how many it looked at.
 */
export async function tellSubscriptions({ platform }: { platform: Platform }): Promise<{ subscriptions: number }> {
  const { name, months } = await providerOf(platform);
  if (months === undefined) return { subscriptions: 0 };
  const rows = await platform.postgres.call<ToTell>(subscriptionsToTellStatement(name, perRun));
  for (const row of rows) {
    try {
      const subscription_ref = await tell(months, row);
      await platform.postgres.call(toldSubscriptionStatement(row, subscription_ref));
    } catch (error) {
      const { org_id, checkout_id, want } = row;
      platform.log.error({ err: error, org_id, checkout_id, want }, 'the payment provider could not be told');
    }
  }
  return { subscriptions: rows.length };
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
