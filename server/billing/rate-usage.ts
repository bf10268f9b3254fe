import { NetraError } from '@netra/contract';
import { priceInForce, utcText, type TokenKind } from './price-book.ts';
import type { PriceList } from './standard-book.ts';

export interface Usage {
  readonly model: string;
  /** All of them; the two below are parts of it. */
  readonly input_tokens: number;
  readonly cached_input_tokens: number;
  readonly cache_write_tokens?: number;
  /** All of them; reasoning is a part of it. */
  readonly output_tokens: number;
  readonly reasoning_tokens?: number;
  /** Of a string: UTC, `YYYY-MM-DD`, alone or with a time. */
  readonly at: Date | string;
}

export interface RatedUsage {
  /** US dollars, decimal: exact to the 12th place, half-even there. */
  readonly cost_usd: string;
  /** Micro-credits at list price, one credit = $0.01; half-even. */
  readonly cost_micro: bigint;
  readonly price_book_version: string;
}

/** 10¹⁸ ÷ 10¹²: what a cost in dollars is rounded to. */
const atto_per_pico = 1_000_000n;
/** $0.01 = 10⁶ micro-credits, so one micro-credit is 10⁻⁸ dollars. */
const atto_per_micro = 10_000_000_000n;
const pico_per_usd = 1_000_000_000_000n;

/**
 * What a call costs by `list`, in whole numbers throughout. Throws `invalid_request` for a model or a kind of
 * token without a price, and for counts that are negative, no whole numbers, or parts larger than their whole.
 */
export function rateUsage(usage: Usage, list: PriceList): RatedUsage {
  const { cached_input_tokens: cached, cache_write_tokens: written = 0, reasoning_tokens: reasoning = 0 } = usage;
  checkCounts(usage, cached + written, reasoning);
  const name = list.find(usage.model);
  const prices = name === null ? undefined : list.book.models.get(name);
  if (prices === undefined) throw noPrice(usage.model);
  const at = utcText(usage.at);

  const price = (kind: TokenKind, fallback: TokenKind): bigint => {
    const found =
      priceInForce(prices, kind, at, usage.input_tokens) ?? priceInForce(prices, fallback, at, usage.input_tokens);
    // A book is made without such a price; one that came otherwise would mint credits.
    if (found === null || found.atto_usd_token <= 0n) throw noPrice(usage.model, kind);
    return found.atto_usd_token;
  };
  const cost = (tokens: number, kind: TokenKind, fallback: TokenKind): bigint =>
    tokens === 0 ? 0n : BigInt(tokens) * price(kind, fallback);
  // Where no discount or surcharge is published, the plain price holds.
  const cost_atto =
    cost(usage.input_tokens - cached - written, 'input', 'input') +
    cost(cached, 'cached_input', 'input') +
    cost(written, 'cache_write', 'input') +
    cost(usage.output_tokens - reasoning, 'output', 'output') +
    cost(reasoning, 'reasoning', 'output');
  return {
    cost_usd: toDecimal(halfEven(cost_atto, atto_per_pico)),
    cost_micro: halfEven(cost_atto, atto_per_micro),
    price_book_version: list.book.version,
  };
}

/** `amount ÷ unit`, a tie to the even neighbour. Neither is negative. */
export function halfEven(amount: bigint, unit: bigint): bigint {
  const whole = amount / unit;
  const twice = (amount % unit) * 2n;
  return twice > unit || (twice === unit && whole % 2n === 1n) ? whole + 1n : whole;
}

function toDecimal(amount_pico: bigint): string {
  const fraction = (amount_pico % pico_per_usd).toString().padStart(12, '0').replace(/0+$/, '');
  return `${amount_pico / pico_per_usd}${fraction === '' ? '' : `.${fraction}`}`;
}

function checkCounts(usage: Usage, input_parts: number, output_parts: number): void {
  const { input_tokens, cached_input_tokens, cache_write_tokens = 0, output_tokens, reasoning_tokens = 0 } = usage;
  const counts = { input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens };
  // An import asks this for each of its rows: what is right is found out without walking through names.
  const whole = Number.isSafeInteger(input_tokens) && Number.isSafeInteger(output_tokens);
  const parts = Number.isSafeInteger(input_parts) && Number.isSafeInteger(output_parts);
  const least = Math.min(cached_input_tokens, cache_write_tokens, reasoning_tokens);
  if (whole && parts && least >= 0 && Number.isInteger(cached_input_tokens)) {
    if (input_parts <= input_tokens && output_parts <= output_tokens) return;
  }
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new NetraError('invalid_request', `${name} must be a whole number, zero or more`, { [name]: count });
    }
  }
  if (input_parts > input_tokens || output_parts > output_tokens) {
    throw new NetraError('invalid_request', 'cached, written or reasoning tokens are more than their whole', counts);
  }
}

function noPrice(model: string, kind?: TokenKind): NetraError {
  const what = kind === undefined ? `model "${model}"` : `${kind} tokens of model "${model}"`;
  return new NetraError('invalid_request', `The price book has no price for ${what}`, { model });
}
