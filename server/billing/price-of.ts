import { priceInForce, utcText, type RatedPrice, type TokenKind } from './price-book.ts';
import type { PriceList } from './standard-book.ts';

/** What a model costs in US dollars for a million tokens, exact decimals; null where no such price is published. */
export interface ModelPrices {
  readonly provider: string;
  readonly model: string;
  readonly input_usd_mtok: string;
  readonly cached_input_usd_mtok: string | null;
  readonly cache_write_usd_mtok: string | null;
  readonly output_usd_mtok: string;
  readonly price_book_version: string;
}

/** The prices in force at `at` of the model that `name` means; null if the list has none. */
export function priceOf(name: string, at: Date, list: PriceList): ModelPrices | null {
  const found = list.find(name);
  const prices = found === null ? undefined : list.book.models.get(found);
  return prices === undefined ? null : pricesAt(prices, at, list);
}

/** Every model of the list that has a price for input and output at `at`. */
export function listModelPrices(at: Date, list: PriceList): readonly ModelPrices[] {
  return [...list.book.models.values()].flatMap((prices) => pricesAt(prices, at, list) ?? []);
}

function pricesAt(prices: readonly RatedPrice[], at: Date, list: PriceList): ModelPrices | null {
  const moment = utcText(at);
  const usd = (kind: TokenKind): string | null => priceInForce(prices, kind, moment, 0)?.usd_mtok ?? null;
  const [input, output] = [usd('input'), usd('output')];
  const [first] = prices;
  if (first === undefined || input === null || output === null) return null;
  return {
    provider: first.provider,
    model: first.model,
    input_usd_mtok: input,
    cached_input_usd_mtok: usd('cached_input'),
    cache_write_usd_mtok: usd('cache_write'),
    output_usd_mtok: output,
    price_book_version: list.book.version,
  };
}
