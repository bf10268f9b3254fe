import {
  dataCoverage,
  usageByDay,
  usageByFeature,
  usageByModel,
  usageByUser,
  usageScope,
  usageTotals,
} from '../../analytics/index.ts';
import { defineTool } from '../define-tool.ts';

// Reads change nothing outside the run, so a worker that takes over may ask again.
const effects = 'none';
const input = usageScope;

export const usageCoverageTool = defineTool({
  name: 'usage_coverage',
  description: 'Which days and columns the organisation’s usage has. Ask this first: it tells what can be known.',
  effects,
  input,
  execute: ({ ctx, input: scope }) => dataCoverage({ ctx, input: scope }),
});

export const usageTotalsTool = defineTool({
  name: 'usage_totals',
  description: 'Calls, tokens and cost in all, with the first and last call.',
  effects,
  input,
  execute: ({ ctx, input: scope }) => usageTotals({ ctx, input: scope }),
});

export const usageByDayTool = defineTool({
  name: 'usage_by_day',
  description: 'Calls, tokens and cost for each day, oldest first.',
  effects,
  input,
  execute: ({ ctx, input: scope }) => usageByDay({ ctx, input: { limit: 92, ...scope } }),
});

export const usageByModelTool = defineTool({
  name: 'usage_by_model',
  description: 'Calls, tokens and cost for each model, dearest first.',
  effects,
  input,
  execute: ({ ctx, input: scope }) => usageByModel({ ctx, input: { limit: 50, ...scope } }),
});

export const usageByFeatureTool = defineTool({
  name: 'usage_by_feature',
  description: 'Calls, tokens and cost for each feature, dearest first.',
  effects,
  input,
  execute: ({ ctx, input: scope }) => usageByFeature({ ctx, input: { limit: 50, ...scope } }),
});

export const usageByUserTool = defineTool({
  name: 'usage_by_user',
  description: 'Calls, tokens and cost for each user, dearest first, beside the median user.',
  effects,
  input,
  execute: ({ ctx, input: scope }) => usageByUser({ ctx, input: { limit: 20, ...scope } }),
});
