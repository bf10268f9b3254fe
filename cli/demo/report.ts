import type { Receipt } from '@netra/contract';

/** One finding as the report carries it; money as exact decimal strings. */
export interface Recommendation {
  readonly title: string;
  readonly evidence: unknown;
  readonly saving_usd_month: { readonly low: string; readonly expected: string; readonly high: string };
  readonly confidence: unknown;
}

export interface UsageFigures {
  readonly calls: string;
  readonly input_tokens: string;
  readonly output_tokens: string;
  readonly cost_usd: string;
}

/** The part of an agent's report that the demo shows. */
export interface Report {
  readonly title: string;
  readonly text: string;
  readonly usage: UsageFigures;
  readonly recommendations: readonly Recommendation[];
}

/** The last line of `demo --json`. */
export interface Summary {
  readonly type: 'summary';
  readonly org: string;
  readonly run: string;
  readonly events: number;
  readonly credits: Receipt;
  readonly usage: UsageFigures;
  readonly recommendations: readonly Recommendation[];
}

/** Takes the report out of `agent_completed`'s output; an output without one is a defect that the demo must show. */
export function reportOf(output: unknown): Report {
  const report = (output as { report?: Report } | null)?.report;
  if (report === undefined) throw new Error('the agent completed without a report');
  return report;
}
