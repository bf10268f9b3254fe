import { forecastUsageTool } from '../tools/forecast-usage.ts';
import {
  usageByDayTool,
  usageByFeatureTool,
  usageByModelTool,
  usageByUserTool,
  usageCoverageTool,
  usageTotalsTool,
} from '../tools/read-usage.ts';
import { defineUsageAgent } from './usage-agent.ts';

/** Profile, breakdown, trend: where every closer look at usage begins. */
export const dataTools = [
  usageCoverageTool,
  usageTotalsTool,
  usageByDayTool,
  usageByModelTool,
  usageByFeatureTool,
  usageByUserTool,
  forecastUsageTool,
];

export const dataAgent = defineUsageAgent({
  name: 'data',
  title: 'Data',
  description: 'Shows where the cost goes: by day, model, feature and user, and what the next month costs.',
  task: 'Show where the cost goes, by day, model, feature and user, and what the next month will cost.',
  tools: dataTools,
});
