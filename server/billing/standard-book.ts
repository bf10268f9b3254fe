import { modelFinder } from './find-model.ts';
import { makePriceBook, type PriceBook } from './price-book.ts';
import { publishedPrices, publishedProviders } from './published-prices.ts';

/** A book and the way into it. */
export interface PriceList {
  readonly book: PriceBook;
  find(name: string): string | null;
}

let standard: PriceList | undefined;

/** The published prices; read once a process, immutable from then on. */
export function standardBook(): PriceList {
  if (standard === undefined) {
    const providers = publishedProviders();
    standard = { book: makePriceBook(publishedPrices(providers)), find: modelFinder(providers) };
  }
  return standard;
}
