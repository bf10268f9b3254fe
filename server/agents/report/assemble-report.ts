import type { NamedQuery } from '../../analytics/index.ts';
import { enough_days, type Finding, type Gap } from '../findings/finding.ts';
import { rankFindings } from '../findings/rank-findings.ts';
import type { WhatIf } from '../findings/what-if.ts';
import type { Facts } from './facts.ts';
import { questions } from './questions.ts';
import { renderReport } from './render-report.ts';

/** A statement about the usage, with the query that its figures come from. */
export interface Observation {
  readonly text: string;
  readonly query: string;
}

/** An agent's answer. Every figure names its query; no figure comes from a model. */
export interface Report {
  readonly title: string;
  /** The report as text, written by code from the figures below. */
  readonly text: string;
  /** True if any of the usage was generated, not measured. */
  readonly synthetic: boolean;
  readonly usage: {
    readonly calls: number;
    readonly input_tokens: string;
    readonly output_tokens: string;
    readonly cost_usd: string;
    readonly query: string;
  } | null;
  readonly observations: readonly Observation[];
  /** What to do first comes first. Their savings may overlap: the same call can be in several. */
  readonly recommendations: readonly Finding[];
  /** What would be if: by prices alone, each with what it assumes. */
  readonly scenarios: readonly WhatIf[];
  /** True if savings were looked for: without recommendations, then, nothing was found. */
  readonly searched: boolean;
  readonly not_enough_data: readonly Gap[];
  readonly queries: readonly NamedQuery[];
}

export interface ReportInput {
  readonly title: string;
  readonly facts: Facts;
  /** The tools that the agent has: only what it could have asked can be missing. */
  readonly tools: readonly string[];
  observe(facts: Facts): readonly Observation[];
}

/** An event has at most 256 KiB, and nobody reads further. */
const max_recommendations = 30;

/** Makes the report from what the tools found. Pure: the same results give the same report. */
export function assembleReport({ title, facts, tools, observe }: ReportInput): Report {
  const { totals } = facts;
  const report = {
    title,
    synthetic: (facts.coverage?.synthetic ?? 0) > 0,
    usage: totals && {
      calls: totals.calls,
      input_tokens: totals.input_tokens,
      output_tokens: totals.output_tokens,
      cost_usd: totals.cost_usd,
      query: 'usage_totals',
    },
    observations: observe(facts),
    recommendations: rankFindings(facts.findings).slice(0, max_recommendations),
    scenarios: facts.scenarios,
    searched: facts.searched,
    not_enough_data: gapsOf(facts, tools),
    queries: facts.queries,
  };
  return { ...report, text: renderReport(report) };
}

/** What could not be asked or answered. Without any usage there is one gap: everything. */
function gapsOf(facts: Facts, tools: readonly string[]): Gap[] {
  const { coverage } = facts;
  if (coverage === null) return [{ about: 'the usage', missing: 'it could not be read' }];
  if (coverage.rows === 0) return [{ about: 'everything', missing: 'no usage has been imported yet' }];
  const gaps = questions.flatMap((question): Gap[] => {
    if (!tools.includes(question.tool)) return [];
    const failed = facts.failed_tools.includes(question.tool) ? 'the query failed' : null;
    const missing = question.missing(coverage) ?? failed;
    return missing === null ? [] : [{ about: question.about, missing }];
  });
  const estimates = tools.some((tool) => tool.startsWith('find_')) && Math.ceil(coverage.span_days) < enough_days;
  const short = `the data spans ${coverage.span_days} days, fewer than ${enough_days}: savings are what it shows itself`;
  return [...gaps, ...facts.gaps, ...(estimates ? [{ about: 'a month', missing: short }] : [])];
}
