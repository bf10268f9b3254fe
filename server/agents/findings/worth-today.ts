import Big from 'big.js';
import { exact, rounded, type Equation } from './arithmetic.ts';
import type { Basis, ModelPrice } from './finding.ts';

export interface Tokens {
  readonly input: string;
  /** A part of the input. */
  readonly cached: string;
  readonly output: string;
}

/** Tokens at a model's prices, as an equation. */
export function costAt(says: string, { input, cached, output }: Tokens, price: ModelPrice): Equation {
  const read = price.cached_input ?? price.input;
  const value = new Big(input)
    .minus(cached)
    .times(price.input)
    .plus(new Big(cached).times(read))
    .plus(new Big(output).times(price.output))
    .div(1_000_000);
  const expression =
    `((${input} − ${cached}) × ${price.input.toFixed()} + ${cached} × ${read.toFixed()} + ` +
    `${output} × ${price.output.toFixed()}) / 1000000`;
  return { says, expression, value: rounded(value) };
}

export interface Worth {
  readonly steps: readonly Equation[];
  readonly worth: Equation;
}

/**
 * What calls that cost `paid` would cost from now on: what was paid, or less where the price book has come down since.
 * Never more: who pays less than the book has a contract of their own.
 */
export function worthToday(basis: Basis, model: string, paid_usd: string, tokens: Tokens): Worth {
  const paid: Equation = { says: 'paid for these calls', expression: paid_usd, value: new Big(paid_usd) };
  const price = basis.priceOf(model);
  if (price === null) return { steps: [], worth: paid };
  const today = costAt('at today’s prices', tokens, price);
  if (today.value.gte(paid.value)) return { steps: [], worth: paid };
  return {
    steps: [{ says: 'paid for these calls', expression: exact(paid.value), value: paid.value }],
    worth: today,
  };
}
