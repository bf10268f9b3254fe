// Planted bug that turns this red: multiply instead of raising to the power, or leave the ceiling out.
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

const backoff = { first_ms: 200, max_ms: 10_000, give_up_ms: 60_000 };

test('waits are uniform below a ceiling that doubles up to the most', () => {
  const almostOne = (): number => 1 - Number.EPSILON;
  const ceilings = [0, 1, 2, 3, 4, 5, 6, 20, 2000].map((attempt) => backoffMs(backoff, attempt, almostOne));
  expect(ceilings).toEqual([199, 399, 799, 1599, 3199, 6399, 9999, 9999, 9999]);
  expect(backoffMs(backoff, 5, () => 0)).toBe(0);
  expect(backoffMs(backoff, 0, () => 0.5)).toBe(100);
});
