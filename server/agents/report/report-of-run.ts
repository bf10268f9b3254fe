import { assembleReport, type Report } from './assemble-report.ts';
import { readFacts, type RecordedResult } from './facts.ts';
import { observeNextAgent, observeUsage } from './observe-usage.ts';

/** The report that an agent with these tools makes of its results: the planner's text and the run's output are one. */
export function reportOfRun(tools: readonly string[], results: readonly RecordedResult[]): Report {
  const profiles = tools.includes('usage_by_day');
  return assembleReport({
    title: tools.includes('compare_scenarios')
      ? 'What can be saved, and what would be if'
      : tools.includes('plan_actions')
        ? 'What can be saved'
        : profiles
          ? 'Usage profile'
          : 'Triage',
    facts: readFacts(results),
    tools,
    observe: profiles ? observeUsage : observeNextAgent,
  });
}
