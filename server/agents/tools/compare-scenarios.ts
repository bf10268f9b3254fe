import { offPeakShare, usageByDay, usageScope, type NamedQuery } from '../../analytics/index.ts';
import { currentPrices, listModelPrices } from '../../billing/index.ts';
import { defineTool } from '../define-tool.ts';
import type { Gap } from '../findings/finding.ts';
import { compareMarket, type WhatIf } from '../findings/what-if.ts';
import { forecast, type Forecast } from './forecast-usage.ts';
import { readBasis } from './read-basis.ts';

export interface Scenarios {
  readonly query: NamedQuery;
  readonly forecast: Forecast | null;
  /** Models that the price book has a price of today: all of them were compared. */
  readonly models_compared: number;
  readonly scenarios: readonly WhatIf[];
  readonly gaps: readonly Gap[];
}

export const compareScenariosTool = defineTool({
  name: 'compare_scenarios',
  description: 'What the dearest features would cost next month on other models of the price book, by batch, and both.',
  effects: 'none',
  input: usageScope,
  async execute({ ctx, input }): Promise<Scenarios> {
    const [{ query, rows }, days, basis, prices] = await Promise.all([
      offPeakShare({ ctx, input }),
      usageByDay({ ctx, input: { ...input, limit: 92 } }),
      readBasis(ctx, input),
      currentPrices(ctx.platform),
    ]);
    const models = listModelPrices(new Date(ctx.platform.clock.nowMs()), prices);
    const ahead = forecast(days.rows);
    if (ahead === null || basis.total_cost_usd.lte(0)) {
      const missing = 'there are fewer than seven full days with a cost, so there is no forecast to compare with';
      return { query, forecast: null, models_compared: models.length, scenarios: [], gaps: [{ about, missing }] };
    }
    const { next_30_days_usd } = ahead;
    const scenarios = compareMarket({ rows, next_30_days_usd, basis, models });
    return { query, forecast: ahead, models_compared: models.length, scenarios, gaps: [] };
  },
});

const about = 'what would be if';
