import Big from 'big.js';
import type { Saving } from './finding.ts';

/** One step of a calculation. `expression` holds figures, signs and parentheses only, so that anybody can do it again. */
export interface Equation {
  /** What it is, in words. */
  readonly says: string;
  readonly expression: string;
  readonly value: Big;
}

/** A saving over the observed days. Low and high say how they come from the expected one, or from what else. */
export interface Estimate {
  readonly low: Equation;
  readonly expected: Equation;
  readonly high: Equation;
}

const month_days = 30;

/**
 * A saving over the observed days as a monthly one. Where the data is too short to extrapolate, `low` and `expected`
 * are what it shows itself, and only `high` is a month's.
 */
export function monthOf({ low, expected, high }: Estimate, days: number, extrapolated: boolean): Saving {
  const month = (observed: Big): string => usd(observed.times(month_days).div(days));
  return extrapolated
    ? { low: month(low.value), expected: month(expected.value), high: month(high.value) }
    : { low: usd(low.value), expected: usd(expected.value), high: month(high.value) };
}

interface Written {
  readonly steps: readonly Equation[];
  readonly observed: Estimate;
  readonly days: number;
  readonly extrapolated: boolean;
}

/** The calculation as text: `what it is: figures = result`, `;` between the steps, months last. */
export function writeArithmetic({ steps, observed, days, extrapolated }: Written): string {
  const month = ({ value }: Equation, name: string): Equation => ({
    says: `${name} a month`,
    expression: `${exact(value)} × ${month_days} / ${days}`,
    value: new Big(usd(value.times(month_days).div(days))),
  });
  const { low, expected, high } = observed;
  const months = extrapolated
    ? [month(low, 'low'), month(expected, 'expected'), month(high, 'high')]
    : [month(high, 'high')];
  const short = extrapolated ? [] : ['low and expected are what the data shows itself: too short to extrapolate'];
  const all = [...steps, expected, low, high, ...months].map(
    ({ says, expression, value }) => `${says}: ${expression} = ${exact(value)}`,
  );
  return [...all, ...short].join('; ');
}

/** `part` of `whole`, as an equation. */
export function share(says: string, whole: Equation, part: string): Equation {
  return { says, expression: `${exact(whole.value)} × ${part}`, value: rounded(whole.value.times(part)) };
}

/** The same figure under another name. */
export function same(says: string, { value }: Equation): Equation {
  return { says, expression: exact(value), value };
}

/** Nothing at all is sure. */
export const nothing: Equation = { says: 'low', expression: '0', value: new Big(0) };

/** Exact to the 12th place, as costs are stored. */
export function rounded(value: Big): Big {
  return value.round(12, Big.roundHalfEven);
}

/** A figure as equations have it: all its decimals, no exponent. */
export function exact(value: Big): string {
  return rounded(value).toFixed();
}

/** Six decimals: a tenth of a thousandth of a cent; half-even like every other rounding here. */
export function usd(amount: Big): string {
  return amount.round(6, Big.roundHalfEven).toFixed();
}
