import { oneRow, startPoll, type Platform, type Poll } from '../platform/index.ts';
import { outboxWaits } from './sql/outbox.ts';

/** How late a notice of what a run spent may be, about; and how seldom ClickHouse gets small inserts. */
const pause_ms = 3_000;

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
  const look = async (): Promise<void> => {
    const { waits } = oneRow(await postgres.call<{ waits: boolean }>(outboxWaits));
    if (waits) await found();
  };
  return startPoll({ pause_ms, look, failed: 'outbox not looked at', log, random });
}
