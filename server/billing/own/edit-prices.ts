import { oneRow, type Platform } from '../../platform/index.ts';
import { publishedPrices, publishedProviders } from '../published-prices.ts';
import { changePricesStatement, readOwnPricesStatement, readPriceRevisionStatement } from '../sql/price-books.ts';
import { comparePrices, type PriceDifference, type PriceState, type WantedPrice } from './compare-prices.ts';
import type { OwnPrice } from './own-prices.ts';
import { refusePriceFile } from './price-file.ts';

/**
 * Compares what `want` makes of the prices with them, and writes the differences unless it is a dry run, all or none.
 * Throws `invalid_request` with every problem, of `problems` too; `conflict` if somebody else edits meanwhile.
 */
export async function editPrices(
  { postgres }: Platform,
  edit: {
    readonly by: string;
    readonly dry_run: boolean;
    readonly problems: readonly string[];
    want(state: PriceState): readonly WantedPrice[];
  },
): Promise<readonly PriceDifference[]> {
  // The revision first: whatever is written after it makes this edit start over.
  const { revision, now } = oneRow(
    await postgres.call<{ revision: bigint; now: string }>(readPriceRevisionStatement('any')),
  );
  const own = await postgres.call<OwnPrice>(readOwnPricesStatement());
  const state = { published: publishedPrices(publishedProviders()), own, now };
  const { differences, problems } = comparePrices(state, edit.want(state));
  const all = [...edit.problems, ...problems];
  if (all.length > 0) throw refusePriceFile(all);
  if (!edit.dry_run && differences.length > 0) {
    await postgres.call(changePricesStatement(edit.by, revision, JSON.stringify(differences)));
  }
  return differences;
}
