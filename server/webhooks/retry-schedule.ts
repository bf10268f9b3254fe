const second_ms = 1_000;
const minute_ms = 60 * second_ms;
const hour_ms = 60 * minute_ms;

/** After the first failure, the second … (Standard Webhooks, *Deliverability and reliability*): 3 days in all. */
const waits_ms = [
  5 * second_ms,
  5 * minute_ms,
  30 * minute_ms,
  2 * hour_ms,
  5 * hour_ms,
  10 * hour_ms,
  14 * hour_ms,
  20 * hour_ms,
  24 * hour_ms,
] as const;

/** An endpoint without one success for this long is disabled: about when the first message has run out of attempts. */
export const patience_ms = 72 * hour_ms;

/**
 * How long to wait after so many failed attempts; null = that was the last. `random` in [0, 1) spreads it by a fifth up
 * and down: what failed together must not come back together.
 */
export function retryWait_ms(failed: number, random: number): number | null {
  const wait_ms = waits_ms[failed - 1];
  return wait_ms === undefined ? null : Math.round(wait_ms * (0.8 + 0.4 * random));
}
