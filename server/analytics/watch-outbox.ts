import { oneRow, startPoll, type Platform, type Poll } from '../platform/index.ts';
import { outboxMetrics } from './outbox-metrics.ts';
import { outboxBacklog, outboxWaits } from './sql/outbox.ts';

/** How late a notice of what a run spent may be, about; and how seldom ClickHouse gets small inserts. */
const pause_ms = 3_000;
/** Counting what waits reads it all, which may be millions after an outage: not at each look. */
const looksPerCount = 5;

/**
 * Looks every few seconds, by one index probe, whether something waits in the outbox, and says so. Every node looks; what
 * `found` asks for is to be the same work for all.
 */
export function watchOutbox({
  platform,
  found,
}: {
  readonly platform: Platform;
  readonly found: () => Promise<void>;
}): Poll {
  const { postgres, log, random } = platform;
  let looks = 0;
  const look = async (): Promise<void> => {
    const { waits } = oneRow(await postgres.call<{ waits: boolean }>(outboxWaits));
    if (looks % looksPerCount === 0 || !waits) await countOutbox(platform, waits);
    looks += 1;
    if (waits) await found();
  };
  return startPoll({ pause_ms, look, failed: 'outbox not looked at', log, random });
}

async function countOutbox(platform: Platform, waits: boolean): Promise<void> {
  const { rows, oldest_seconds } = outboxMetrics(platform);
  const none = { waiting: 0n, oldest_seconds: null };
  const backlog = waits
    ? oneRow(await platform.postgres.call<{ waiting: bigint; oldest_seconds: number | null }>(outboxBacklog))
    : none;
  rows.set(Number(backlog.waiting));
  oldest_seconds.set(Math.max(0, backlog.oldest_seconds ?? 0));
}
