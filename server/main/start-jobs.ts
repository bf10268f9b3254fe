import { pumpOutbox } from '../analytics/index.ts';
import { settleHold } from '../ledger/index.ts';
import { grantDuePeriods } from '../plans/index.ts';
import { postgresUrlFor, type Platform, type StoreUrls } from '../platform/index.ts';
import { startJobs as startSchedules, sweepHolds } from '../work/index.ts';

/** What is left over is due again at the next minute. */
const orgsPerRun = 1_000;

/** The schedules of this installation; each due time runs once among all nodes. Resolves to what stops them here. */
export async function startJobs(options: {
  readonly platform: Platform;
  readonly urls: StoreUrls;
}): Promise<() => Promise<void>> {
  const { platform, urls } = options;
  const jobs = await startSchedules({
    platform,
    app_url: postgresUrlFor('app', urls),
    schedules: [
      { name: 'pump_outbox', cron: '* * * * *', run: () => pumpOutbox({ platform }) },
      { name: 'grant_due_periods', cron: '*/5 * * * *', run: () => grantDuePeriods({ platform, limit: orgsPerRun }) },
      { name: 'sweep_holds', cron: '*/10 * * * *', run: () => sweepHolds({ platform, release: release(platform) }) },
    ],
  });
  return () => jobs.stop();
}

/** Settles an orphaned hold with nothing captured, on behalf of the installation. */
function release(platform: Platform) {
  return ({ org_id, hold_id }: { readonly org_id: string; readonly hold_id: string }) =>
    settleHold({
      ctx: {
        platform,
        principal: { org_id, user_id: 'installation', role: 'owner', kind: 'user', expires_at_ms: null },
        trace_id: platform.ids.uuid(),
      },
      input: { hold_id, capture_micro: 0n, reason: 'orphaned', key: `orphan/${hold_id}` },
    });
}
