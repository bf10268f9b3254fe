import Big from 'big.js';
import type { Confidence, Effort, Finding } from './finding.ts';

const by_confidence: Readonly<Record<Confidence, string>> = { high: '1', medium: '0.7', low: '0.4' };
const by_effort: Readonly<Record<Effort, string>> = { hours: '1', days: '0.8', weeks: '0.5' };

export type Rankable = Pick<Finding, 'title' | 'confidence' | 'effort' | 'saving_usd_month'>;

/** What to do first: the expected saving, weighed by how sure it is and how little work it takes. */
export function rankFindings<F extends Rankable>(findings: readonly F[]): F[] {
  const weight = (finding: F): Big =>
    new Big(finding.saving_usd_month.expected)
      .times(by_confidence[finding.confidence])
      .times(by_effort[finding.effort]);
  return [...findings].sort((a, b) => weight(b).cmp(weight(a)) || a.title.localeCompare(b.title, 'en'));
}
