import Big from 'big.js';
import { usageByDay, usageScope, type DayRow } from '../../analytics/index.ts';
import { defineTool } from '../define-tool.ts';
import { usd } from '../findings/arithmetic.ts';

export interface Forecast {
  /** Days with calls that the forecast stands on. */
  readonly days: number;
  readonly next_30_days_usd: { readonly low: string; readonly expected: string; readonly high: string };
  readonly arithmetic: string;
}

/** Fewer full days than this have no trend and no spread. */
const min_days = 7;

/**
 * What the next 30 days cost if they go on like the last ones: the mean of the full days × 30, give or take the spread
 * of the days. The first and last day are left out as they are usually cut off. Null with fewer than 7 full days.
 */
export function forecast(days: readonly DayRow[]): Forecast | null {
  const costs = days.slice(1, -1).map((row) => new Big(row.cost_usd));
  if (costs.length < min_days) return null;
  const mean = costs.reduce((sum, cost) => sum.plus(cost), new Big(0)).div(costs.length);
  const variance = costs.reduce((sum, cost) => sum.plus(cost.minus(mean).pow(2)), new Big(0)).div(costs.length - 1);
  const expected = mean.times(30);
  // Days vary independently enough: the sum of 30 spreads by √30 of one. Two of them cover most months.
  const spread = variance.sqrt().times(new Big(30).sqrt()).times(2);
  const low = expected.minus(spread);
  return {
    days: costs.length,
    next_30_days_usd: {
      low: usd(low.lt(0) ? new Big(0) : low),
      expected: usd(expected),
      high: usd(expected.plus(spread)),
    },
    arithmetic: `mean of ${costs.length} full days $${usd(mean)} × 30; ± 2 × √30 × standard deviation $${usd(variance.sqrt())}`,
  };
}

export const forecastUsageTool = defineTool({
  name: 'forecast_usage',
  description: 'What the next 30 days cost if they go on like the days so far.',
  effects: 'none',
  input: usageScope,
  async execute({ ctx, input }) {
    const { query, rows } = await usageByDay({ ctx, input: { ...input, limit: 92 } });
    return { query, forecast: forecast(rows) };
  },
});
