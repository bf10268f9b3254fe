import type { Fault, Platform } from '../platform/index.ts';
import { makePriceBook, type Price } from './price-book.ts';
import { listPriceBooksStatement, readPriceBookStatement } from './sql/price-books.ts';

/** Books that are looked at, newest first: one a release that changed a price. */
const maxBooks = 200;

const advice = {
  means:
    'Prices of a kept book were changed, added or deleted: its version is the hash of its prices, and these make another.',
  mend: 'Nothing that was charged changes by itself: charges are kept as amounts. Take the prices of this version from a backup, or, if a node of the release that kept it is still there, delete the book and start that node, which keeps it again.',
};

/** Each kept price book still makes its version. Read-only; one book in memory at a time. */
export async function examinePriceBooks({
  platform,
}: {
  platform: Pick<Platform, 'postgres'>;
}): Promise<readonly Fault[]> {
  const { postgres } = platform;
  const books = await postgres.call<{ version: string; kept_at: Date }>(listPriceBooksStatement(maxBooks));
  const faults: Fault[] = [];
  for (const { version, kept_at } of books) {
    const found = versionOf(await postgres.call<Price>(readPriceBookStatement(version)));
    if (found === version) continue;
    const key = { book_version: version };
    const row = { invariant: 'prices', fault: 'price_altered', place: 'netra.price', key, since: kept_at, of: 1 };
    faults.push({ ...row, expected: `prices that make ${version}`, found, ...advice });
  }
  return faults;
}

function versionOf(prices: readonly Price[]): string {
  try {
    return makePriceBook(prices).version;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
