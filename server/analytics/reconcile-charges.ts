import type { Platform } from '../platform/index.ts';
import { checkSettled, type SettledReport } from './check-settled.ts';
import { outboxMetrics } from './outbox-metrics.ts';

/** Lines that are logged; the command and doctor have all. */
const maxLogged = 100;

/** M4 by day, as a schedule: each difference is a log line, and their number a metric. Mends nothing. */
export async function reconcileCharges({ platform }: { readonly platform: Platform }): Promise<SettledReport> {
  const report = await checkSettled({ platform });
  const { differences, reconciled_at } = outboxMetrics(platform);
  differences.set(report.days.length);
  reconciled_at.set(Math.floor(platform.clock.nowMs() / 1000));
  for (const day of report.days.slice(0, maxLogged)) platform.log.error({ ...day }, 'M4: settled and summed differ');
  return report;
}
