import { changeBook, readBookRevision, refuseFile } from '../../plans/index.ts';
import type { Platform } from '../../platform/index.ts';
import { tellPrices } from '../current-prices.ts';
import { publishedPrices, publishedProviders } from '../published-prices.ts';
import { readOwnPricesStatement } from '../sql/price-books.ts';
import { comparePrices, type PriceDifference, type PriceState, type WantedPrice } from './compare-prices.ts';
import type { OwnPrice } from './own-prices.ts';
import { startOf } from './price-file.ts';

/**
 * Compares what `want` makes of the prices with them, and writes the differences unless it is a dry run, all or none.
 * Throws `invalid_request` with every problem, of `problems` too; `conflict` if somebody else edits meanwhile.
 */
export async function editPrices(
  platform: Platform,
  edit: {
    readonly by: string;
    readonly dry_run: boolean;
    readonly problems: readonly string[];
    want(state: PriceState): readonly WantedPrice[];
  },
): Promise<readonly PriceDifference[]> {
  // The revision first: whatever is written after it makes this edit start over.
  const { revision, now } = await readBookRevision({ platform });
  const own = await platform.postgres.call<OwnPrice>(readOwnPricesStatement());
  const state = { published: publishedPrices(publishedProviders()), own, now: startOf(now.toISOString()) };
  const { differences, problems } = comparePrices(state, edit.want(state));
  const all = [...edit.problems, ...problems];
  if (all.length > 0) throw refuseFile(all);
  if (!edit.dry_run && differences.length > 0) {
    await changeBook({ platform, input: { by: edit.by, revision, changes: differences } });
    await tellPrices(platform);
  }
  return differences;
}
