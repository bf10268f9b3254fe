/** Wall time for people and tokens. Leases and order never use it: they use database time. */
export interface Clock {
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };
