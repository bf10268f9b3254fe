import { oneRow, type Platform } from '../platform/index.ts';
import { planThatLiftsStatement } from './sql/plans.ts';

/** A limit of a plan, and what would have to pass it: an amount, or the name of an agent or feature. */
export type LimitNeed =
  | { readonly limit: 'agents' | 'features'; readonly name: string }
  | {
      readonly limit: 'runs_month' | 'seconds_run' | 'concurrent_runs' | 'requests_hour' | 'credits_micro';
      readonly need: bigint;
    };

/** The cheapest plan on sale under which it would pass; null if there is none. */
export async function planThatLifts({
  platform,
  ...limit
}: { platform: Platform } & LimitNeed): Promise<string | null> {
  const statement =
    'name' in limit
      ? planThatLiftsStatement(limit.limit, null, limit.name)
      : planThatLiftsStatement(limit.limit, limit.need, null);
  return oneRow(await platform.postgres.call<{ plan_id: string | null }>(statement)).plan_id;
}
