import type { CoverageRow } from '../../analytics/index.ts';
import { readFacts, type Facts, type RecordedResult } from '../report/facts.ts';
import { questions, type Phase } from '../report/questions.ts';
import { reportOfRun } from '../report/report-of-run.ts';
import type { Decision } from './stream-parts.ts';

/** What the planner sees of a conversation. */
export interface Situation {
  readonly question: string;
  readonly tools: readonly string[];
  readonly results: readonly RecordedResult[];
}

const scope_mark = '\nScope: ';
const phases: readonly Phase[] = ['triage', 'data', 'optimization', 'research'];

/** How a part of the usage is named in a question, so that rules can read it as well as models. */
export function askAbout(question: string, scope: Readonly<Record<string, unknown>>): string {
  return Object.keys(scope).length === 0 ? question : `${question}${scope_mark}${JSON.stringify(scope)}`;
}

/**
 * The next step: triage first; then, for as far as the data goes, the questions of each later phase that the agent has
 * tools for, a phase a step; then the order of actions; then the report. A tool that has answered, or failed, is not
 * called again, so there are at most six steps.
 */
export function planStep(situation: Situation): Decision {
  const { tools, results } = situation;
  const facts = readFacts(results);
  const open = (tool: string): boolean => tools.includes(tool) && !results.some((result) => result.tool === tool);
  for (const phase of phases) {
    const calls = openQuestions(phase, facts.coverage).filter(({ tool }) => open(tool));
    if (calls.length > 0) {
      const input = scopeOf(situation.question);
      return { thinking: thinkAbout(phase, facts), text: [], calls: calls.map(({ tool }) => ({ tool, input })) };
    }
  }
  if (open('plan_actions') && facts.findings.length > 0) return planActions(facts);
  // A line is a delta.
  const text = reportOfRun(tools, results).text.split(/(?<=\n)/);
  return { thinking: ['Writing the report.'], text, calls: [] };
}

/** Before the coverage is known only triage can be asked; of no usage at all nothing else can be known. */
function openQuestions(phase: Phase, coverage: CoverageRow | null): typeof questions {
  const ofPhase = questions.filter((question) => question.phase === phase);
  if (phase === 'triage') return ofPhase;
  if (coverage === null || coverage.rows === 0) return [];
  return ofPhase.filter((question) => question.missing(coverage) === null);
}

function thinkAbout(phase: Phase, { coverage, totals }: Facts): string[] {
  if (phase === 'triage' || coverage === null) return ['First, what usage there is ', 'and what it can tell.'];
  if (phase === 'data') {
    const gaps = questions.filter((question) => question.missing(coverage) !== null).map(({ about }) => about);
    const found = `There are ${coverage.rows} calls on ${coverage.days} day${coverage.days === 1 ? '' : 's'}. `;
    const missing = gaps.length === 0 ? 'All columns are there. ' : `Not enough data for ${gaps.join(', ')}. `;
    return [found, missing, 'Now where the cost goes.'];
  }
  if (phase === 'research') return ['Now what would be if: ', 'other models, batch, and both.'];
  return [`The cost is $${totals?.cost_usd ?? '0'}. `, 'Now what of it can be saved.'];
}

function planActions({ findings }: Facts): Decision {
  const input = {
    findings: findings.map(({ title, confidence, effort, saving_usd_month }) => ({
      title,
      confidence,
      effort,
      saving_usd_month,
    })),
  };
  const found = `Found ${findings.length} way${findings.length === 1 ? '' : 's'} to save. `;
  return { thinking: [found, 'Now what to do first.'], text: [], calls: [{ tool: 'plan_actions', input }] };
}

function scopeOf(question: string): unknown {
  const at = question.lastIndexOf(scope_mark);
  if (at < 0) return {};
  try {
    return JSON.parse(question.slice(at + scope_mark.length)) as unknown;
  } catch {
    // The user wrote the mark: all usage, then.
    return {};
  }
}
