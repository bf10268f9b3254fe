import Big from 'big.js';
import type { Answer, OffPeakRow } from '../../analytics/index.ts';
import { count, isWorthSaying, lowerConfidence, monthArithmetic, named, perMonth } from './finding.ts';
import type { Basis, Finding } from './finding.ts';

/** A third of the day: work spread evenly has this share at night. */
const night_share = 0.8;
/** What batch APIs take off the price. Checked against the providers' price pages; the experiment confirms it. */
const batch_discount = new Big('0.5');

/** Features that run at night, when nobody waits for the answer: a batch API does them for half. */
export function findBatchWork({ query, rows }: Answer<OffPeakRow>, basis: Basis): Finding[] {
  return rows.flatMap((row): Finding[] => {
    if (row.off_peak_share < night_share || row.calls < 20) return [];
    const saving = new Big(row.off_peak_cost_usd).times(batch_discount);
    if (!isWorthSaying(saving, basis)) return [];
    return [
      {
        kind: 'batch',
        title: `Use a batch API at night: ${named(row.feature)}, ${row.model}`,
        evidence:
          `${count(row.off_peak_calls)} of ${count(row.calls)} calls ran between 22:00 and 06:00 UTC and cost ` +
          `$${row.off_peak_cost_usd} (query ${query.name}).`,
        evidence_rows: [{ query: query.name, row: { ...row } }],
        arithmetic: `$${row.off_peak_cost_usd} × 50 % batch discount: ${monthArithmetic(saving, basis)}`,
        saving_usd_month: perMonth({ low: saving.times('0.5'), expected: saving, high: saving }, basis),
        confidence: lowerConfidence('medium', basis),
        effort: 'days',
        risk: 'Batches may take up to a day; whoever needs the answer by the morning has to check.',
        experiment: 'Send one night’s work through the provider’s batch API and compare bill and finishing time.',
      },
    ];
  });
}
