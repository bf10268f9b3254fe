import { compareScenariosTool } from '../tools/compare-scenarios.ts';
import { optimizationAgent } from './optimization.ts';
import { defineUsageAgent } from './usage-agent.ts';

/** All that optimization does, then what-if scenarios over the forecast and the price book's whole market. */
export const researchAgent = defineUsageAgent({
  name: 'research',
  title: 'Research',
  description:
    'Compares what the dearest features would cost next month on every model of the price book, and by batch.',
  task: 'Find what can be saved, then compare scenarios: other models of the whole market, batch, and both together.',
  tools: [...optimizationAgent.tools, compareScenariosTool],
});
