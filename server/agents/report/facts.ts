import type {
  CoverageRow,
  DayRow,
  FeatureRow,
  ModelRow,
  NamedQuery,
  TotalsRow,
  UserRow,
} from '../../analytics/index.ts';
import type { Finding, Gap } from '../findings/finding.ts';
import type { WhatIf } from '../findings/what-if.ts';
import type { Forecast } from '../tools/forecast-usage.ts';

/** A tool result as it stands in the log or in a prompt. */
export interface RecordedResult {
  readonly tool: string;
  readonly ok: boolean;
  readonly output: unknown;
}

/** What the tool results of a run say. Figures that no tool gave are not here. */
export interface Facts {
  readonly coverage: CoverageRow | null;
  readonly totals: TotalsRow | null;
  readonly by_day: readonly DayRow[] | null;
  readonly by_model: readonly ModelRow[] | null;
  readonly by_feature: readonly FeatureRow[] | null;
  readonly by_user: readonly UserRow[] | null;
  readonly forecast: Forecast | null;
  readonly findings: readonly Finding[];
  /** What finders could not tell from their rows. */
  readonly gaps: readonly Gap[];
  readonly scenarios: readonly WhatIf[];
  /** True if savings were looked for at all. */
  readonly searched: boolean;
  /** Every query asked, by name, once. */
  readonly queries: readonly NamedQuery[];
  readonly failed_tools: readonly string[];
}

interface ToolOutput {
  readonly query?: NamedQuery;
  readonly rows?: readonly unknown[];
  readonly findings?: readonly Finding[];
  readonly gaps?: readonly Gap[];
  readonly scenarios?: readonly WhatIf[];
  readonly forecast?: Forecast | null;
}

/** Reads the facts out of tool results. They were written by our own tools, so their shape is taken as it is. */
export function readFacts(results: readonly RecordedResult[]): Facts {
  const outputs = new Map<string, ToolOutput>();
  for (const { tool, ok, output } of results) {
    if (ok && typeof output === 'object' && output !== null) outputs.set(tool, output);
  }
  const rows = <Row>(tool: string): readonly Row[] | null => (outputs.get(tool)?.rows as Row[] | undefined) ?? null;
  const queries = new Map<string, NamedQuery>();
  for (const { query } of outputs.values()) if (query !== undefined) queries.set(query.name, query);
  return {
    coverage: rows<CoverageRow>('usage_coverage')?.[0] ?? null,
    totals: rows<TotalsRow>('usage_totals')?.[0] ?? null,
    by_day: rows<DayRow>('usage_by_day'),
    by_model: rows<ModelRow>('usage_by_model'),
    by_feature: rows<FeatureRow>('usage_by_feature'),
    by_user: rows<UserRow>('usage_by_user'),
    forecast: outputs.get('forecast_usage')?.forecast ?? null,
    findings: [...outputs.values()].flatMap((output) => output.findings ?? []),
    gaps: [...outputs.values()].flatMap((output) => output.gaps ?? []),
    scenarios: outputs.get('compare_scenarios')?.scenarios ?? [],
    searched: [...outputs.values()].some((output) => output.findings !== undefined),
    queries: [...queries.values()],
    failed_tools: results.filter(({ ok, tool }) => !ok && !outputs.has(tool)).map(({ tool }) => tool),
  };
}
