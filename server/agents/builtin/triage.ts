import { usageCoverageTool, usageTotalsTool } from '../tools/read-usage.ts';
import { defineUsageAgent } from './usage-agent.ts';

/** Cheap: what data there is, the totals, and which agent to ask next. */
export const triageAgent = defineUsageAgent({
  name: 'triage',
  title: 'Triage',
  description: 'Says what usage there is, what it costs, and which agent to ask next.',
  task: 'Say what usage there is, what it costs in all, and which agent to ask next: data or optimization.',
  tools: [usageCoverageTool, usageTotalsTool],
});
