import { forgetUsage, pumpOutbox, reconcileCharges, watchOutbox } from '../analytics/index.ts';
import { issueDueInvoices, processPaymentEvents, tellSubscriptions } from '../billing/index.ts';
import { grantDuePeriods } from '../plans/index.ts';
import type { Platform } from '../platform/index.ts';
import { cutEvents } from '../runs/index.ts';
import { forgetDeliveries, noteThresholds } from '../webhooks/index.ts';
import { giveUpParked, keepResumingFunded, startJobs as startSchedules, sweepHolds } from '../work/index.ts';

/** What is left over is due again at the next minute. */
const orgsPerRun = 1_000;
const rowsPerRun = 10_000;
/** Of at most 5,000 events: schedules take turns, and none may hold the others up for long. */
const batchesPerCut = 20;
const runsPerRun = 1_000;
/** Of 200 organisations. */
const batchesPerForgetting = 50;

/** The schedules of this installation; each due time runs once among all nodes. Resolves to what stops them here. */
export async function startJobs({ platform }: { readonly platform: Platform }): Promise<() => Promise<void>> {
  const pump = () => pumpOutbox({ platform, onCharges: (org_ids) => noteThresholds({ platform, org_ids }) });
  const jobs = await startSchedules({
    platform,
    schedules: [
      { name: 'pump_outbox', cron: '* * * * *', run: pump },
      { name: 'grant_due_periods', cron: '*/5 * * * *', run: () => grantDuePeriods({ platform, limit: orgsPerRun }) },
      { name: 'forget_deliveries', cron: '17 * * * *', run: () => forgetDeliveries({ platform, limit: rowsPerRun }) },
      { name: 'forget_usage', cron: '23 * * * *', run: () => forgetUsage({ platform, batches: batchesPerForgetting }) },
      { name: 'issue_invoices', cron: '*/5 * * * *', run: () => issueDueInvoices({ platform, limit: orgsPerRun }) },
      { name: 'process_payment_events', cron: '* * * * *', run: () => processPaymentEvents({ platform }) },
      { name: 'give_up_parked', cron: '*/5 * * * *', run: () => giveUpParked({ platform, limit: runsPerRun }) },
      { name: 'tell_subscriptions', cron: '* * * * *', run: () => tellSubscriptions({ platform }) },
      { name: 'cut_events', cron: '*/5 * * * *', run: () => cutEvents({ platform, batches: batchesPerCut }) },
      { name: 'reconcile_charges', cron: '37 3 * * *', run: () => reconcileCharges({ platform }) },
      { name: 'sweep_holds', cron: '*/10 * * * *', run: () => sweepHolds({ platform }) },
    ],
  });
  // What another node took in and died on is not left for the next minute.
  await jobs.kick('process_payment_events');
  // Soon after a run has ended, however many end: the pump is asked for once in a few seconds, not once a run.
  const watch = watchOutbox({ platform, found: () => jobs.kick('pump_outbox') });
  const stopResuming = keepResumingFunded(platform);
  return async () => {
    await watch.stop();
    await stopResuming();
    await jobs.stop();
  };
}
