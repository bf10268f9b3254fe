import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import type { PriceDifference, PriceState, WantedPrice } from './compare-prices.ts';
import { editPrices } from './edit-prices.ts';
import { pricesAt, subjectOf } from './own-prices.ts';
import { startOf } from './price-file.ts';

const input = z.object({
  /** `provider/model`. */
  model: z.string().min(1).max(200),
  by: z.string().min(1).max(200),
  /** Null = now. */
  from: z.date().nullable().default(null),
});

/**
 * Ends the installation's own prices of a model: from then on the published ones hold again, until another own one
 * begins. Answers the differences, none if there was nothing to end. Throws `not_found` for a model without own prices,
 * `conflict` for one that nobody publishes a price of: it would be free.
 */
export async function retirePrices({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: z.input<typeof input>;
}): Promise<readonly PriceDifference[]> {
  const { model, by, from } = parseInput(input, raw);
  const valid_from = from === null ? null : startOf(from.toISOString());
  const want = (state: PriceState): readonly WantedPrice[] => {
    const own = state.own.filter((price) => `${price.provider}/${price.model}` === model);
    if (own.length === 0) throw new NetraError('not_found', `There are no own prices of ${model}.`, { model });
    const published = state.published.filter((price) => `${price.provider}/${price.model}` === model);
    for (const kind of ['input', 'output'] as const) {
      const found = pricesAt(
        published.filter((price) => price.kind === kind),
        valid_from ?? state.now,
      );
      if (found.length > 0) continue;
      throw new NetraError('conflict', `Nobody publishes a price of ${model}: without its own it would be free.`, {
        model,
      });
    }
    const first = new Map(own.map((price) => [subjectOf(price), price]));
    return [...first.values()].map(({ provider, kind, model: name }) => ({
      provider,
      model: name,
      kind,
      valid_from,
      tiers: [],
      place: model,
    }));
  };
  return editPrices(platform, { by, dry_run: false, problems: [], want });
}
