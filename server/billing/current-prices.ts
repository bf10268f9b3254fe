import { oneRow, type Platform } from '../platform/index.ts';
import { keepBook } from './keep-book.ts';
import { priceListWith, type OwnPrice } from './own/own-prices.ts';
import { readOwnPricesStatement, readPriceRevisionStatement } from './sql/price-books.ts';
import type { PriceList } from './standard-book.ts';

/** How old a node's prices may be: an import is in force everywhere after so long. */
const maxAge_ms = 5_000;

interface Held {
  readonly list: PriceList;
  readonly revision: bigint;
  readonly read_at_ms: number;
}

/** What one node (one Platform) holds of the price book: never shared, so two nodes can live in one process. */
interface Holder {
  held: Held | null;
  reading: Promise<Held> | null;
}

const holders = new WeakMap<Platform, Holder>();

/**
 * The prices in force on this node, at most five seconds behind what an operator imported. The book that is handed out
 * was kept first, so that whatever names its version can be explained. Throws if PostgreSQL cannot be asked: without
 * it nothing can be charged either.
 */
export async function currentPrices(platform: Platform): Promise<PriceList> {
  const holder = holders.get(platform) ?? { held: null, reading: null };
  holders.set(platform, holder);
  const { held } = holder;
  if (held !== null && platform.clock.nowMs() - held.read_at_ms < maxAge_ms) return held.list;
  holder.reading ??= read(platform, held).finally(() => {
    holder.reading = null;
  });
  holder.held = await holder.reading;
  return holder.held.list;
}

async function read(platform: Platform, held: Held | null): Promise<Held> {
  // The time and the revision first: prices that are written meanwhile are read now, and once more at the next look.
  const read_at_ms = platform.clock.nowMs();
  const { postgres } = platform;
  const { revision } = oneRow(await postgres.call<{ revision: bigint }>(readPriceRevisionStatement()));
  if (held !== null && held.revision === revision) return { ...held, read_at_ms };
  const list = priceListWith(await postgres.call<OwnPrice>(readOwnPricesStatement()));
  await keepBook(platform, list.book);
  return { list, revision, read_at_ms };
}
