import type { Platform } from '../platform/index.ts';
import { hasPriceBookStatement, keepPriceBookStatement } from './sql/price-books.ts';
import { standardBook } from './standard-book.ts';

/** Keeps the book that this release rates by, once; so that a charge of today can be explained by its version later. */
export async function keepPriceBook({ platform }: { platform: Platform }): Promise<{ readonly version: string }> {
  const { version, models } = standardBook().book;
  const known = await platform.postgres.call(hasPriceBookStatement(version));
  if (known.length > 0) return { version };
  await platform.postgres.call(keepPriceBookStatement(version, [...models.values()].flat()));
  return { version };
}
