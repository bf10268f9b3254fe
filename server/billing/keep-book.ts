import type { Platform } from '../platform/index.ts';
import type { PriceBook } from './price-book.ts';
import { hasPriceBookStatement, keepPriceBookStatement } from './sql/price-books.ts';

/** Keeps a book that this node rates by, once; so that a charge of today can be explained by its version later. */
export async function keepBook({ postgres }: Platform, { version, models }: PriceBook): Promise<void> {
  const known = await postgres.call(hasPriceBookStatement(version));
  if (known.length > 0) return;
  await postgres.call(keepPriceBookStatement(version, [...models.values()].flat()));
}
