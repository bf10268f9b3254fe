import Big from 'big.js';

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
  /** What was seen, in a sentence that names the query. */
  readonly evidence: string;
  readonly evidence_rows: readonly EvidenceRow[];
  readonly arithmetic: string;
  readonly saving_usd_month: Saving;
  readonly confidence: Confidence;
  readonly effort: Effort;
  readonly risk: string;
  /** What would show whether the saving is real. */
  readonly experiment: string;
}

/** Prices of a model in USD per million tokens. */
export interface ModelPrice {
  readonly input: Big;
  readonly cached_input: Big | null;
  readonly output: Big;
}

/** What every finding is judged against: how long the data is, what it cost in all, and the price book. */
export interface Basis {
  /** Whole days from the first call to the last, at least 1. */
  readonly observed_days: number;
  readonly total_cost_usd: Big;
  priceOf(model: string): ModelPrice | null;
  /** Models of the same maker that cost less, cheapest last; null when the price book does not know the model. */
  cheaperThan(model: string): { readonly model: string; readonly price: ModelPrice } | null;
}

const month_days = 30;
/** With less data than this a month is not extrapolated from it. */
export const enough_days = 7;
/** Below this share of the whole cost a finding is noise. */
const min_share = new Big('0.001');

/** Whether a saving over the observed time is worth a finding. */
export function isWorthSaying(observed_usd: Big, basis: Basis): boolean {
  return observed_usd.gt('0.01') && observed_usd.gte(basis.total_cost_usd.times(min_share));
}

/**
 * A saving over the observed days as a monthly one. With fewer than seven days `low` and `expected` are what the data
 * itself shows, and only `high` is extrapolated.
 */
export function perMonth(observed: { low: Big; expected: Big; high: Big }, basis: Basis): Saving {
  const factor = new Big(month_days).div(basis.observed_days);
  const enough = basis.observed_days >= enough_days;
  const known = enough ? factor : new Big(1);
  return {
    low: usd(observed.low.times(known)),
    expected: usd(observed.expected.times(known)),
    high: usd(observed.high.times(factor)),
  };
}

/** How a monthly figure comes from the observed one, as text. */
export function monthArithmetic(observed: Big, basis: Basis): string {
  const days = basis.observed_days;
  if (days >= enough_days) {
    const month = usd(observed.times(month_days).div(days));
    return `$${usd(observed)} in ${days} days × 30 / ${days} = $${month} a month`;
  }
  return `$${usd(observed)} in ${days} day${days === 1 ? '' : 's'} of data; too short to extrapolate, so taken as it is`;
}

export function lowerConfidence(confidence: Confidence, basis: Basis): Confidence {
  return basis.observed_days >= enough_days ? confidence : 'low';
}

/** Six decimals: a tenth of a thousandth of a cent; half-even like every other rounding here. */
export function usd(amount: Big): string {
  return amount.round(6, Big.roundHalfEven).toFixed();
}

export function named(feature: string): string {
  return feature === '' ? 'calls without a feature' : `feature “${feature}”`;
}

/** `1,234`, or with its noun `1 prefix`, `2 prefixes`. */
export function count(number: number, one?: string, many?: string): string {
  const digits = number.toLocaleString('en-US');
  return one === undefined ? digits : `${digits} ${number === 1 ? one : many}`;
}
