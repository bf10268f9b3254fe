import {
  exactDuplicates,
  offPeakShare,
  outputHeavy,
  oversizedContext,
  repeatedPrompts,
  retriesAndErrors,
  shortCalls,
  usageByUser,
  usageScope,
  type Answer,
  type UsageScope,
} from '../../analytics/index.ts';
import type { Ctx } from '../../platform/index.ts';
import { defineTool, type Tool } from '../define-tool.ts';
import { findBatchWork } from '../findings/batch-work.ts';
import { findCostOutliers } from '../findings/cost-outliers.ts';
import { findExactDuplicates } from '../findings/exact-duplicates.ts';
import type { Basis, Finding } from '../findings/finding.ts';
import { findOutputHeavy } from '../findings/output-heavy.ts';
import { findOversizedContext } from '../findings/oversized-context.ts';
import { findPaidFailures } from '../findings/paid-failures.ts';
import { findRepeatedPrompts } from '../findings/repeated-prompts.ts';
import { findSmallerModel } from '../findings/smaller-model.ts';
import { readBasis } from './read-basis.ts';

/** What a finder answers: the query it asked, how many rows came, and what can be saved by them. */
export interface Findings {
  readonly query: Answer<unknown>['query'];
  readonly row_count: number;
  readonly findings: readonly Finding[];
}

interface Finder<Row> {
  readonly name: string;
  readonly description: string;
  ask(question: { readonly ctx: Ctx; readonly input: UsageScope }): Promise<Answer<Row>>;
  find(answer: Answer<Row>, basis: Basis): Finding[];
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
      const findings = finder.find(answer, basis).slice(0, max_findings);
      return { query: answer.query, row_count: answer.rows.length, findings };
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
  description: 'Savings by avoiding calls that failed, were paid, and were made again.',
  ask: retriesAndErrors,
  find: findPaidFailures,
});

export const findBatchWorkTool = defineFinder({
  name: 'find_batch_work',
  description: 'Savings by a batch API for work at night that nobody waits for.',
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
  description: 'Users who cost several times what the median user does.',
  ask: usageByUser,
  find: findCostOutliers,
});
