import { createHash } from 'node:crypto';
import { Big } from 'big.js';

/** The kinds of token that have a price of their own. */
export const tokenKinds = ['input', 'cached_input', 'cache_write', 'output', 'reasoning'] as const;
export type TokenKind = (typeof tokenKinds)[number];

/** One dated price. Requests with more input tokens than `above_tokens` pay it for all their tokens of the kind. */
export interface Price {
  readonly provider: string;
  readonly model: string;
  readonly kind: TokenKind;
  /** From which it is in force: a UTC date `YYYY-MM-DD`, or a moment of one, `YYYY-MM-DD HH:MM:SS.mmm`. */
  readonly valid_from: string;
  readonly above_tokens: number;
  /** US dollars for a million tokens, exact decimal. */
  readonly usd_mtok: string;
}

/** 10⁻¹⁸ dollars for one token: whole numbers for every price with up to 12 decimals a million tokens. */
export interface RatedPrice extends Price {
  readonly atto_usd_token: bigint;
}

/** Prices by provider and model, dated, immutable. The same prices make the same version. */
export interface PriceBook {
  readonly version: string;
  /** `provider/model` → its prices, the one that wins first: latest date, highest tier. */
  readonly models: ReadonlyMap<string, readonly RatedPrice[]>;
}

/** Makes a book; throws an Error that names the price which is missing, zero, negative or no exact decimal. */
export function makePriceBook(prices: readonly Price[]): PriceBook {
  const models = new Map<string, RatedPrice[]>();
  const sorted = prices.map(ratedPrice).toSorted(winningFirst);
  for (const price of sorted) {
    const name = `${price.provider}/${price.model}`;
    const known = models.get(name);
    if (known === undefined) models.set(name, [price]);
    else known.push(price);
  }
  const lines = sorted.map(
    ({ provider, model, kind, valid_from, above_tokens, usd_mtok }) =>
      `${provider}\t${model}\t${kind}\t${valid_from}\t${above_tokens}\t${usd_mtok}`,
  );
  const hash = createHash('sha256').update(lines.toSorted().join('\n')).digest('hex');
  return { version: `book-${hash.slice(0, 16)}`, models };
}

function winningFirst(one: Price, other: Price): number {
  if (one.valid_from !== other.valid_from) return one.valid_from < other.valid_from ? 1 : -1;
  return other.above_tokens - one.above_tokens;
}

function ratedPrice(price: Price): RatedPrice {
  const name = `${price.provider}/${price.model} ${price.kind}`;
  // A free or negative price would mint credits.
  const usd_mtok = new Big(price.usd_mtok);
  if (usd_mtok.lte(0)) throw new Error(`price of ${name} is ${price.usd_mtok}: a price is more than zero`);
  const atto = usd_mtok.times('1e12');
  if (!atto.eq(atto.round(0))) throw new Error(`price of ${name} is ${price.usd_mtok}: more than 12 decimals`);
  return { ...price, usd_mtok: usd_mtok.toFixed(), atto_usd_token: BigInt(atto.toFixed(0)) };
}

/** A moment as `valid_from` has it, so that the two compare as text. Of a text, UTC is taken for granted. */
export function utcText(at: Date | string): string {
  const text = typeof at === 'string' ? at : at.toISOString();
  return text.charAt(10) === 'T' ? `${text.slice(0, 10)} ${text.slice(11)}` : text;
}

/** The price in force at `at`, which is `utcText`, for a request of `input_tokens`; null if the model has none of this kind. */
export function priceInForce(
  prices: readonly RatedPrice[],
  kind: TokenKind,
  at: string,
  input_tokens: number,
): RatedPrice | null {
  for (const price of prices) {
    if (
      price.kind === kind &&
      price.valid_from <= at &&
      (price.above_tokens === 0 || input_tokens > price.above_tokens)
    ) {
      return price;
    }
  }
  return null;
}
