import Big from 'big.js';
import { priceOf, type PriceList } from '../../billing/index.ts';
import type { Basis, ModelPrice } from '../findings/finding.ts';
import { smallerSibling } from '../findings/smaller-siblings.ts';

/** The price book as findings ask it: prices in force at `at`, since savings are about the months to come. */
export function readPrices(at: Date, list: PriceList): Pick<Basis, 'priceOf' | 'cheaperThan'> {
  const price = (model: string): ModelPrice | null => {
    const found = priceOf(model, at, list);
    if (found === null) return null;
    const { provider, input_usd_mtok, cached_input_usd_mtok, cache_write_usd_mtok, output_usd_mtok } = found;
    const optional = (usd: string | null): Big | null => (usd === null ? null : new Big(usd));
    return {
      provider,
      input: new Big(input_usd_mtok),
      cached_input: optional(cached_input_usd_mtok),
      cache_write: optional(cache_write_usd_mtok),
      output: new Big(output_usd_mtok),
    };
  };
  return {
    priceOf: price,
    cheaperThan(model) {
      const sibling = smallerSibling(model);
      const smaller = sibling === null ? null : price(sibling);
      const own = price(model);
      if (sibling === null || smaller === null || own === null) return null;
      return smaller.input.lt(own.input) && smaller.output.lte(own.output) ? { model: sibling, price: smaller } : null;
    },
  };
}
