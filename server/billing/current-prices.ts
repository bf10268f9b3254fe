import { cacheBounds_ms, oneRow, type Platform } from '../platform/index.ts';
import { keepBook } from './keep-book.ts';
import { priceListWith, type OwnPrice } from './own/own-prices.ts';
import { readOwnPricesStatement, readPriceRevisionStatement } from './sql/price-books.ts';
import type { PriceList } from './standard-book.ts';

const channel = 'netra:prices';

interface Held {
  readonly list: PriceList;
  readonly revision: bigint;
  readonly read_at_ms: number;
}

/** What one node (one Platform) holds of the price book: never shared, so two nodes can live in one process. */
interface Holder {
  held: Held | null;
  reading: Promise<Held> | null;
  /** Changes that this node was told of. */
  told: number;
}

const holders = new WeakMap<Platform, Holder>();

/**
 * The prices in force on this node: at once where Redis carries the hint, else at most five seconds behind what an
 * operator wrote. The book that is handed out was kept first, so that whatever names its version can be explained.
 * Throws if PostgreSQL cannot be asked: without it nothing can be charged either.
 */
export async function currentPrices(platform: Platform): Promise<PriceList> {
  const holder = holders.get(platform) ?? (await listen(platform));
  const { held } = holder;
  if (held !== null && platform.clock.nowMs() - held.read_at_ms < cacheBounds_ms.prices) return held.list;
  holder.reading ??= read(platform, holder).finally(() => {
    holder.reading = null;
  });
  return (await holder.reading).list;
}

/** Tells every node that prices were written. A hint: who misses it looks by itself. */
export async function tellPrices({ redis }: Platform): Promise<void> {
  await redis.publish(channel, '');
}

async function listen(platform: Platform): Promise<Holder> {
  const holder: Holder = { held: null, reading: null, told: 0 };
  holders.set(platform, holder);
  // For as long as the node lives: it ends with the connection.
  await platform.redis.subscribe(channel, () => {
    holder.told += 1;
    if (holder.held !== null) holder.held = { ...holder.held, read_at_ms: -Infinity };
  });
  return holder;
}

async function read(platform: Platform, holder: Holder): Promise<Held> {
  const { held, told } = holder;
  // The time and the revision first: prices that are written meanwhile are read now, and once more at the next look.
  const now_ms = platform.clock.nowMs();
  const { postgres } = platform;
  const { revision } = oneRow(await postgres.call<{ revision: bigint }>(readPriceRevisionStatement()));
  const known = held !== null && held.revision === revision;
  const list = known ? held.list : priceListWith(await postgres.call<OwnPrice>(readOwnPricesStatement()));
  if (!known) await keepBook(platform, list.book);
  holder.held = { list, revision, read_at_ms: holder.told === told ? now_ms : -Infinity };
  return holder.held;
}
