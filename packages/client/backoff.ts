import type { Backoff } from './options.ts';

/** Full jitter: clients that lost one server together must not come back together. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number): number {
  const ceiling_ms = Math.min(backoff.max_ms, backoff.first_ms * 2 ** Math.min(attempt, 20));
  return Math.floor(random() * ceiling_ms);
}
