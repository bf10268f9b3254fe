import { NetraError } from '@netra/contract';
import { listModelPrices, priceOf, rateUsage, type PriceList } from '../billing/index.ts';
import type { RateCall } from './check-row.ts';

const shownNames = 3;

/** How an import prices its calls: by one book from its first row to its last. */
export interface Rating {
  /** Prices a call; throws with names that are like it if the model has no price. */
  readonly rate: RateCall;
  /** Throws invalid_request if the price book does not know the model. */
  refuseUnknown(model: string): void;
}

/** Rates by `list`; `now` says for which models it has a price at all. */
export function ratingBy(list: PriceList, now: Date): Rating {
  const remembered = new Map<string, readonly string[]>();
  const names = (): readonly string[] => [...new Set(listModelPrices(now, list).map((prices) => prices.model))];
  const refuseUnknown = (model: string): void => {
    if (priceOf(model, now, list) !== null) return;
    const similar = similarModels(model, remembered, names);
    const hint = similar.length === 0 ? '' : `; models with a like name: ${similar.join(', ')}`;
    throw new NetraError('invalid_request', `model ${JSON.stringify(model.slice(0, 80))} has no price${hint}`, {
      similar,
    });
  };
  const rate: RateCall = (call) => {
    try {
      const { cost_usd, price_book_version: price_book } = rateUsage(call, list);
      return { cost_usd, price_book };
    } catch (error) {
      refuseUnknown(call.model);
      throw error;
    }
  };
  return { rate, refuseUnknown };
}

// A file may have a made-up model in each row; looking through all names costs a millisecond.
const maxRemembered = 1000;

function similarModels(
  model: string,
  remembered: Map<string, readonly string[]>,
  names: () => readonly string[],
): readonly string[] {
  const known = remembered.get(model);
  if (known !== undefined) return known;
  const wanted = pairsOf(model);
  const similar = names()
    .map((name) => ({ name, likeness: likeness(wanted, pairsOf(name)) }))
    .filter(({ likeness: score }) => score >= 0.4)
    .sort((a, b) => b.likeness - a.likeness || a.name.length - b.name.length)
    .slice(0, shownNames)
    .map(({ name }) => name);
  if (remembered.size < maxRemembered) remembered.set(model, similar);
  return similar;
}

function pairsOf(name: string): ReadonlySet<string> {
  const text = name.toLowerCase().slice(0, 100);
  return new Set(Array.from({ length: Math.max(text.length - 1, 0) }, (_, place) => text.slice(place, place + 2)));
}

/** Dice's coefficient: 1 = the same pairs of letters, 0 = none in common. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let common = 0;
  for (const pair of a) if (b.has(pair)) common += 1;
  return a.size + b.size === 0 ? 0 : (2 * common) / (a.size + b.size);
}
