import {
  costSpikes,
  exactDuplicates,
  offPeakShare,
  outputHeavy,
  oversizedContext,
  promptGrowth,
  repeatedPrompts,
  retriesAndErrors,
  shortCalls,
  usageScope,
  userBursts,
  type Answer,
  type UsageScope,
} from '../../analytics/index.ts';
import type { Ctx } from '../../platform/index.ts';
import { defineTool, type Tool } from '../define-tool.ts';
import { findBatchWork } from '../findings/batch-work.ts';
import { findCostOutliers } from '../findings/cost-outliers.ts';
import { findCostSpikes } from '../findings/cost-spikes.ts';
import { findExactDuplicates } from '../findings/exact-duplicates.ts';
import type { Basis, Finding, Found, Gap } from '../findings/finding.ts';
import { findOutputHeavy } from '../findings/output-heavy.ts';
import { findOversizedContext } from '../findings/oversized-context.ts';
import { findPaidFailures } from '../findings/paid-failures.ts';
import { findPromptGrowth } from '../findings/prompt-growth.ts';
import { findRepeatedPrompts } from '../findings/repeated-prompts.ts';
import { findSmallerModel } from '../findings/smaller-model.ts';
import { readBasis } from './read-basis.ts';

/** What a finder answers: the query it asked, how many rows came, and what can be saved by them. */
export interface Findings {
  readonly query: Answer<unknown>['query'];
  readonly row_count: number;
  readonly findings: readonly Finding[];
  /** What these rows could not tell. */
  readonly gaps: readonly Gap[];
}

interface Finder<Row> {
  readonly name: string;
  readonly description: string;
  ask(question: { readonly ctx: Ctx; readonly input: UsageScope }): Promise<Answer<Row>>;
  find(answer: Answer<Row>, basis: Basis): Found;
}

/** Findings of one kind in a report; the rest is noise beside the largest. */
const max_findings = 10;

function defineFinder<Row>(finder: Finder<Row>): Tool {
  return defineTool({
    name: finder.name,
    description: finder.description,
    effects: 'none',
    input: usageScope,
    async execute({ ctx, input }): Promise<Findings> {
      const [answer, basis] = await Promise.all([finder.ask({ ctx, input }), readBasis(ctx, input)]);
      const { findings, gaps } = finder.find(answer, basis);
      return {
        query: answer.query,
        row_count: answer.rows.length,
        findings: findings.slice(0, max_findings),
        gaps: gaps.slice(0, max_findings),
      };
    },
  });
}

export const findExactDuplicatesTool = defineFinder({
  name: 'find_exact_duplicates',
  description: 'Savings by caching whole answers: the same prompt to the same model, asked again.',
  ask: exactDuplicates,
  find: findExactDuplicates,
});

export const findRepeatedPromptsTool = defineFinder({
  name: 'find_repeated_prompts',
  description: 'Savings by prompt caching: the same beginning of a prompt, paid in full again and again.',
  ask: repeatedPrompts,
  find: findRepeatedPrompts,
});

export const findOversizedContextTool = defineFinder({
  name: 'find_oversized_context',
  description: 'Savings by trimming calls that send several times the usual input.',
  ask: oversizedContext,
  find: findOversizedContext,
});

export const findOutputHeavyTool = defineFinder({
  name: 'find_output_heavy',
  description: 'Savings by capping answers that are far longer than usual.',
  ask: outputHeavy,
  find: findOutputHeavy,
});

export const findPaidFailuresTool = defineFinder({
  name: 'find_paid_failures',
  description:
    'Savings by avoiding calls that were paid and of no use: failed, or made again although they had worked.',
  ask: retriesAndErrors,
  find: findPaidFailures,
});

export const findBatchWorkTool = defineFinder({
  name: 'find_batch_work',
  description: 'Savings by a batch API for work at fixed hours that nobody waits for.',
  ask: offPeakShare,
  find: findBatchWork,
});

export const findSmallerModelTool = defineFinder({
  name: 'find_smaller_model',
  description: 'Savings by a smaller model for short questions with very short answers.',
  ask: shortCalls,
  find: findSmallerModel,
});

export const findCostOutliersTool = defineFinder({
  name: 'find_cost_outliers',
  description: 'Users who cost many times their own usual on a few days, as a script that got away does.',
  ask: userBursts,
  find: findCostOutliers,
});

export const findCostSpikesTool = defineFinder({
  name: 'find_cost_spikes',
  description: 'Days on which a feature cost several times its usual, without a weekly or monthly rhythm.',
  ask: costSpikes,
  find: findCostSpikes,
});

export const findPromptGrowthTool = defineFinder({
  name: 'find_prompt_growth',
  description: 'Features whose prompts became longer over the weeks while their answers did not.',
  ask: promptGrowth,
  find: findPromptGrowth,
});
