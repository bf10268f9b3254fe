import { oneRow, type Platform } from '../platform/index.ts';
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
}): { stop(): Promise<void> } {
  let stopped = false;
  let wake: () => void = () => undefined;
  const look = async (): Promise<void> => {
    const { waits } = oneRow(await platform.postgres.call<{ waits: boolean }>(outboxWaits));
    if (waits) await found();
  };
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, pause_ms * (0.75 + platform.random() / 2));
      await promise;
      clearTimeout(timer);
      if (!stopped) await look().catch((error: unknown) => platform.log.warn({ err: error }, 'outbox not looked at'));
    }
  };
  const looping = loop();
  return {
    stop: () => {
      stopped = true;
      wake();
      return looping;
    },
  };
}
