import { pumpOutbox } from '../analytics/index.ts';
import { issueDueInvoices } from '../billing/index.ts';
import { grantDuePeriods } from '../plans/index.ts';
import { postgresUrlFor, type Platform, type StoreUrls } from '../platform/index.ts';
import { forgetDeliveries } from '../webhooks/index.ts';
import { startJobs as startSchedules, sweepHolds } from '../work/index.ts';

/** What is left over is due again at the next minute. */
const orgsPerRun = 1_000;
const rowsPerRun = 10_000;

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
      { name: 'forget_deliveries', cron: '17 * * * *', run: () => forgetDeliveries({ platform, limit: rowsPerRun }) },
      { name: 'issue_invoices', cron: '*/5 * * * *', run: () => issueDueInvoices({ platform, limit: orgsPerRun }) },
      { name: 'sweep_holds', cron: '*/10 * * * *', run: () => sweepHolds({ platform }) },
    ],
  });
  return () => jobs.stop();
}
