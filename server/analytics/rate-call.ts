import { NetraError } from '@netra/contract';
import { listModelPrices, priceOf, rateUsage } from '../billing/index.ts';
import type { RateCall } from './check-row.ts';

const shownNames = 3;

/** Prices a call by the price book; throws with names that are like it if the model has no price. */
export const rateCall: RateCall = (call) => {
  try {
    const { cost_usd, price_book_version: price_book } = rateUsage(call);
    return { cost_usd, price_book };
  } catch (error) {
    refuseUnknownModel(call.model);
    throw error;
  }
};

/** Throws invalid_request if the price book does not know the model. */
export function refuseUnknownModel(model: string): void {
  if (priceOf(model) !== null) return;
  const similar = similarModels(model);
  const hint = similar.length === 0 ? '' : `; models with a like name: ${similar.join(', ')}`;
  throw new NetraError('invalid_request', `model ${JSON.stringify(model.slice(0, 80))} has no price${hint}`, {
    similar,
  });
}

// A file may have a made-up model in each row; looking through all names costs a millisecond.
const remembered = new Map<string, readonly string[]>();
const maxRemembered = 1000;

function similarModels(model: string): readonly string[] {
  const known = remembered.get(model);
  if (known !== undefined) return known;
  const wanted = pairsOf(model);
  const names = [...new Set(listModelPrices().map((prices) => prices.model))];
  const similar = names
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
