import * as savings from '../tools/find-savings.ts';
import { planActionsTool } from '../tools/plan-actions.ts';
import { dataTools } from './data.ts';
import { defineUsageAgent } from './usage-agent.ts';

/** The main job in one run: triage, data, what can be saved, what to do first, the report. */
export const optimizationAgent = defineUsageAgent({
  name: 'optimization',
  title: 'Optimization',
  description: 'Finds what can be saved, how much, how sure that is, and what to do first.',
  task: 'Find what can be saved: first what the data has, then where the cost goes, then savings, then their order.',
  tools: [
    ...dataTools,
    savings.findExactDuplicatesTool,
    savings.findRepeatedPromptsTool,
    savings.findOversizedContextTool,
    savings.findOutputHeavyTool,
    savings.findPaidFailuresTool,
    savings.findBatchWorkTool,
    savings.findSmallerModelTool,
    savings.findCostOutliersTool,
    savings.findCostSpikesTool,
    savings.findPromptGrowthTool,
    planActionsTool,
  ],
});
