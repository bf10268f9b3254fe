import Big from 'big.js';
import type { NamedQuery } from '../../analytics/index.ts';
import { monthOf, writeArithmetic, type Estimate, type Equation } from './arithmetic.ts';

export type Confidence = 'low' | 'medium' | 'high';
export type Effort = 'hours' | 'days' | 'weeks';

/** USD in one month of 30 days, exact decimal strings. */
export interface Saving {
  readonly low: string;
  readonly expected: string;
  readonly high: string;
}

/** One row of a named query's answer that a finding stands on. */
export interface EvidenceRow {
  readonly query: string;
  readonly row: Readonly<Record<string, unknown>>;
}

/** Something that can be saved. There is none without evidence rows, and its arithmetic can be done again by hand. */
export interface Finding {
  readonly kind: string;
  readonly title: string;
  /** What was asked, by name, with its parameters: its text is among the report's queries. */
  readonly query: Pick<NamedQuery, 'name' | 'params'>;
  /** What was seen, in a sentence that names the query. */
  readonly evidence: string;
  readonly evidence_rows: readonly EvidenceRow[];
  /** Equations, `;` between them: from the figures of the rows and the price book to the saving. */
  readonly arithmetic: string;
  readonly saving_usd_month: Saving;
  readonly confidence: Confidence;
  readonly effort: Effort;
  readonly risk: string;
  /** What would show whether the saving is real. */
  readonly experiment: string;
}

/** Something that the data cannot tell, and why. */
export interface Gap {
  readonly about: string;
  readonly missing: string;
}

/** What a finder makes of its rows. */
export interface Found {
  readonly findings: readonly Finding[];
  readonly gaps: readonly Gap[];
}

/** Prices of a model in USD per million tokens. */
export interface ModelPrice {
  readonly provider: string;
  readonly input: Big;
  readonly cached_input: Big | null;
  readonly cache_write: Big | null;
  readonly output: Big;
}

/** What every finding is judged against: how long the data is, what it cost in all, and the price book. */
export interface Basis {
  /** Whole days from the first call to the last, at least 1. */
  readonly observed_days: number;
  readonly total_cost_usd: Big;
  /** Whether any call names its user: without that, nothing follows from calls that name none. */
  readonly names_users: boolean;
  priceOf(model: string): ModelPrice | null;
  /** Models of the same maker that cost less, cheapest last; null when the price book does not know the model. */
  cheaperThan(model: string): { readonly model: string; readonly price: ModelPrice } | null;
}

/** Fewer calls than this are no pattern, whatever their share. */
export const enough_calls = 20;
/** With less data than this a month is not extrapolated from it. */
export const enough_days = 7;
/** Below this share of the whole cost a finding is noise. */
const min_share = new Big('0.001');

/** Whether a saving over the observed time is worth a finding. */
export function isWorthSaying(observed_usd: Big, basis: Basis): boolean {
  return observed_usd.gt('0.01') && observed_usd.gte(basis.total_cost_usd.times(min_share));
}

/** A finding before its figures are a month's. */
export interface Draft extends Pick<Finding, 'kind' | 'title' | 'confidence' | 'effort' | 'risk' | 'experiment'> {
  /** What was seen; the query's name is put behind it. */
  readonly seen: string;
  /** What `observed` starts from, where it takes more than one step. */
  readonly steps?: readonly Equation[];
  /** Over the observed days. */
  readonly observed: Estimate;
  /** Days that `observed` is about, where they are not all days of the data. */
  readonly days?: number;
}

/** Makes the finding of one row: its saving for a month, its arithmetic as text. */
export function findingOf(query: NamedQuery, row: object, draft: Draft, basis: Basis): Finding {
  const { seen, steps = [], observed, days = basis.observed_days, ...rest } = draft;
  const extrapolated = basis.observed_days >= enough_days;
  return {
    ...rest,
    query: { name: query.name, params: query.params },
    evidence: `${seen} (query ${query.name}).`,
    evidence_rows: [{ query: query.name, row: { ...row } }],
    arithmetic: writeArithmetic({ steps, observed, days, extrapolated }),
    saving_usd_month: monthOf(observed, days, extrapolated),
    confidence: extrapolated ? rest.confidence : 'low',
  };
}

export function named(feature: string): string {
  return feature === '' ? 'calls without a feature' : `feature “${feature}”`;
}

/** `1,234`, or with its noun `1 prefix`, `2 prefixes`. */
export function count(number: number, one?: string, many?: string): string {
  const digits = number.toLocaleString('en-US');
  return one === undefined ? digits : `${digits} ${number === 1 ? one : many}`;
}
