import type { Platform } from '../platform/index.ts';
import { currentPrices } from './current-prices.ts';
import { keepBook } from './keep-book.ts';

/** Keeps the book that this node rates by, once; also if somebody has deleted it since. */
export async function keepPriceBook({ platform }: { platform: Platform }): Promise<{ readonly version: string }> {
  const { book } = await currentPrices(platform);
  await keepBook(platform, book);
  return { version: book.version };
}
