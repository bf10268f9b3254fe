import { modelFinder } from '../find-model.ts';
import { makePriceBook, type Price, type TokenKind } from '../price-book.ts';
import { publishedPrices, publishedProviders } from '../published-prices.ts';
import { standardBook, type PriceList } from '../standard-book.ts';

/** One of the installation's own; without a price: from then on the published ones again. */
export type OwnPrice = Omit<Price, 'usd_mtok'> & { readonly usd_mtok: string | null };

/** What is bought: the tiers of all its moments make its price. */
export const subjectOf = ({ provider, model, kind }: Pick<Price, 'provider' | 'model' | 'kind'>): string =>
  `${provider}/${model} ${kind}`;

/** The kind whose price holds where one is not published: see rateUsage(). */
const plainKind: Readonly<Record<TokenKind, TokenKind>> = {
  input: 'input',
  cached_input: 'input',
  cache_write: 'input',
  output: 'output',
  reasoning: 'output',
};

/**
 * The published prices with the installation's own over them. An own price holds until the next own one, whatever is
 * published for a time in between; where it was retired, what is published holds from that moment on.
 */
export function overlayPrices(published: readonly Price[], own: readonly OwnPrice[]): readonly Price[] {
  if (own.length === 0) return published;
  const subjects = Map.groupBy(own, subjectOf);
  const theirs = Map.groupBy(published, subjectOf);
  const plain = (price: OwnPrice): readonly Price[] =>
    theirs.get(subjectOf({ ...price, kind: plainKind[price.kind] })) ?? [];
  return [
    ...published.filter((price) => !subjects.has(subjectOf(price))),
    ...[...subjects].flatMap(([subject, prices]) => {
      const [first] = prices;
      return first === undefined ? [] : overlayKind(theirs.get(subject) ?? [], prices, plain(first));
    }),
  ];
}

/** One kind of one model; `plain` is what holds for it if nothing of its own kind is published. */
function overlayKind(published: readonly Price[], own: readonly OwnPrice[], plain: readonly Price[]): readonly Price[] {
  const starts = [...new Set(own.map(({ valid_from }) => valid_from))].toSorted();
  const before = published.filter(({ valid_from }) => valid_from < (starts[0] ?? ''));
  const spans = starts.flatMap((from, place) => {
    const until = starts[place + 1];
    const prices = own.filter(({ valid_from }) => valid_from === from).flatMap(priced);
    if (prices.length > 0) return prices;
    const kind = own[0]?.kind ?? 'input';
    const back = published.some(({ valid_from }) => valid_from <= from) ? published : plain;
    const later = back.filter(({ valid_from }) => valid_from > from && (until === undefined || valid_from < until));
    return [...pricesAt(back, from).map((price) => ({ ...price, valid_from: from })), ...later].map((price) => ({
      ...price,
      kind,
    }));
  });
  return [...before, ...spans];
}

function priced({ usd_mtok, ...price }: OwnPrice): readonly Price[] {
  return usd_mtok === null ? [] : [{ ...price, usd_mtok }];
}

/** All tiers of the prices, of one kind of one model, that are in force at `at`; none if they begin later. */
export function pricesAt<Dated extends { readonly valid_from: string }>(
  prices: readonly Dated[],
  at: string,
): readonly Dated[] {
  const starts = prices.map(({ valid_from }) => valid_from).filter((from) => from <= at);
  const last = starts.toSorted().at(-1);
  return prices.filter(({ valid_from }) => valid_from === last);
}

/** What this installation rates by: throws an Error that names a price which is zero, negative or no exact decimal. */
export function priceListWith(own: readonly OwnPrice[]): PriceList {
  if (own.length === 0) return standardBook();
  const providers = publishedProviders();
  const published = publishedPrices(providers);
  const book = makePriceBook(overlayPrices(published, own));
  return { book, find: findOwnFirst(published, own, modelFinder(providers)) };
}

/**
 * A model of the installation's own is meant by its whole name, and by its bare name unless another of the same name
 * is published: `gpt-4o` stays the maker's, whatever prices a reseller has here.
 */
function findOwnFirst(
  published: readonly Price[],
  own: readonly OwnPrice[],
  find: (name: string) => string | null,
): (name: string) => string | null {
  const publishedModels = new Set(published.map(({ model }) => model.toLowerCase()));
  const names = new Map<string, string>();
  const sorted = own.toSorted((one, other) => one.provider.localeCompare(other.provider));
  for (const { provider, model } of sorted) {
    const whole = `${provider}/${model}`;
    names.set(whole.toLowerCase(), whole);
    const bare = model.toLowerCase();
    if (!publishedModels.has(bare) && !names.has(bare)) names.set(bare, whole);
  }
  // As they are written first: an import asks for the same few names a million times.
  return (name) => names.get(name) ?? names.get(name.trim().toLowerCase()) ?? find(name);
}
