import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { makePriceBook, type Price, type PriceBook } from './price-book.ts';
import { readPriceBookStatement } from './sql/price-books.ts';

/**
 * A book as it was kept: what a call that names `version` was rated by. Throws `not_found`; and an Error if the prices
 * no longer make that version, since it is their hash.
 */
export async function readPriceBook({
  platform,
  input: { version },
}: {
  platform: Platform;
  input: { readonly version: string };
}): Promise<PriceBook> {
  const prices = await platform.postgres.call<Price>(readPriceBookStatement(version));
  if (prices.length === 0) throw new NetraError('not_found', `There is no price book ${version}.`, { version });
  const book = makePriceBook(prices);
  if (book.version !== version) throw new Error(`price book ${version} was changed: its prices make ${book.version}`);
  return book;
}
