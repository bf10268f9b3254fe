import { NetraError } from '@netra/contract';
import type { Platform } from '../../platform/index.ts';
import type { Price } from '../price-book.ts';
import { listPriceChangesStatement, readOwnPricesStatement, type PriceChange } from '../sql/price-books.ts';
import { priceListWith, type OwnPrice } from './own-prices.ts';

/** One dated price, and whether it is this installation's own. */
interface ShownPrice extends Price {
  readonly own: boolean;
}

interface ShownModel {
  readonly model: string;
  readonly price_book: string;
  readonly prices: readonly ShownPrice[];
  /** The last 200. */
  readonly changes: readonly PriceChange[];
}

/** Every price of the model that `name` means, and who changed it, latest first. For operators. Throws `not_found`. */
export async function showPrices({
  platform: { postgres },
  input: { name },
}: {
  platform: Platform;
  input: { readonly name: string };
}): Promise<ShownModel> {
  const own = await postgres.call<OwnPrice>(readOwnPricesStatement());
  const { book, find } = priceListWith(own);
  const model = find(name);
  const prices = model === null ? undefined : book.models.get(model);
  if (model === null || prices === undefined) {
    throw new NetraError('not_found', `The price book has no model ${name}.`, { model: name });
  }
  const key = (price: Price | OwnPrice): string => `${price.provider}/${price.model} ${price.kind} ${price.valid_from}`;
  const ours = new Set(own.map(key));
  return {
    model,
    price_book: book.version,
    prices: prices.map(({ atto_usd_token: _atto, ...price }) => ({ ...price, own: ours.has(key(price)) })),
    changes: await postgres.call<PriceChange>(listPriceChangesStatement(model)),
  };
}
