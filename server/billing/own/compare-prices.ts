import { Big } from 'big.js';
import type { Price, TokenKind } from '../price-book.ts';
import { overlayPrices, pricesAt, subjectOf, type OwnPrice } from './own-prices.ts';
import type { FilePrice } from './price-file.ts';

interface Tier {
  readonly above_tokens: number;
  /** Exact decimal. */
  readonly usd_mtok: string;
}

/** All tiers of a kind of token from a moment on; without tiers, the published ones again. */
export interface WantedPrice {
  readonly provider: string;
  readonly model: string;
  readonly kind: TokenKind;
  /** As a price has it; null = the moment that it is written. */
  readonly valid_from: string | null;
  readonly tiers: readonly Tier[];
  /** How a problem names it: a line of a file. */
  readonly place: string;
}

/** What an edit would do: a kind's price from a moment on, new or in place of one that has not begun. */
export interface PriceDifference {
  readonly book: 'price';
  readonly subject: string;
  readonly valid_from: string | null;
  readonly action: 'add' | 'replace' | 'retire';
  /** What would be in force then; null for a first price. */
  readonly before: { readonly tiers: readonly Tier[] } | null;
  readonly row: Omit<WantedPrice, 'place' | 'valid_from'>;
}

export interface PriceState {
  readonly published: readonly Price[];
  readonly own: readonly OwnPrice[];
  /** The database's time, as a price has it. */
  readonly now: string;
}

interface Compared {
  readonly differences: readonly PriceDifference[];
  readonly problems: readonly string[];
}

/**
 * The differences between what is wanted and the book, in order of time, and what forbids them. A price begins now or
 * later; in the past only where there was none, since nothing can have been rated by it.
 */
export function comparePrices({ published, own, now }: PriceState, wanted: readonly WantedPrice[]): Compared {
  const problems: string[] = [];
  const differences: PriceDifference[] = [];
  const theirs = Map.groupBy(published, ({ provider, model }) => `${provider}/${model}`);
  const ours = new Map(Map.groupBy(own, ({ provider, model }) => `${provider}/${model}`));
  const from = (price: WantedPrice): string => price.valid_from ?? now;
  for (const price of wanted.toSorted((one, other) => from(one).localeCompare(from(other)))) {
    const model = `${price.provider}/${price.model}`;
    const known = { published: theirs.get(model) ?? [], own: ours.get(model) ?? [], now };
    const found = comparePrice(known, price);
    if (typeof found === 'string') problems.push(`${price.place}: ${subjectOf(price)}: ${found}`);
    else if (found !== null) {
      differences.push(found);
      const others = known.own.filter((row) => subjectOf(row) !== subjectOf(price) || row.valid_from !== from(price));
      ours.set(model, [...others, ...rowsOf(price, from(price))]);
    }
  }
  const after = { published: theirs, own: ours };
  return { differences, problems: [...problems, ...incomplete(after, wanted, from)] };
}

/** What one price would change; null for nothing, a text for what forbids it. */
function comparePrice({ published, own, now }: PriceState, price: WantedPrice): PriceDifference | string | null {
  const { provider, model, kind, valid_from, place: _place } = price;
  const subject = subjectOf(price);
  const at = valid_from ?? now;
  const tiers = sorted(price.tiers);
  const wrong = wrongTiers(price);
  if (wrong !== null) return wrong;
  const ofKind = own.filter((row) => subjectOf(row) === subject);
  const ours = pricesAt(ofKind, at);
  const said = ours.length > 0 && sameTiers(tiersOf(ours), tiers);
  if (said || (ours.length === 0 && tiers.length === 0)) return null;
  const before = pricesAt(
    overlayPrices(published, own).filter((row) => subjectOf(row) === subject),
    at,
  );
  const same = ofKind.some((row) => row.valid_from === at);
  if ((at < now && before.length > 0) || (at <= now && same)) {
    return `a price has been in force since ${before[0]?.valid_from}; leave valid_from out, or give a later one`;
  }
  const row = { provider, model, kind, tiers };
  const action = tiers.length === 0 ? 'retire' : same ? 'replace' : 'add';
  const old = before.length === 0 ? null : { ...row, tiers: tiersOf(before) };
  return { book: 'price', subject, valid_from: isoOf(valid_from), action, before: old, row };
}

function wrongTiers({ tiers }: WantedPrice): string | null {
  const starts = tiers.map(({ above_tokens }) => above_tokens);
  if (new Set(starts).size < starts.length) return 'one tier is given twice';
  const whole = tiers.length === 0 || starts.includes(0);
  return whole ? null : 'there is no price for small requests: above_tokens 0 is missing';
}

/** A model that can be asked must have a price for what is asked and for what it answers, from its first moment on. */
function incomplete(
  book: {
    readonly published: ReadonlyMap<string, readonly Price[]>;
    readonly own: ReadonlyMap<string, readonly OwnPrice[]>;
  },
  wanted: readonly WantedPrice[],
  from: (price: WantedPrice) => string,
): readonly string[] {
  const models = Map.groupBy(wanted, ({ provider, model }) => `${provider}/${model}`);
  return [...models].flatMap(([model, prices]) => {
    const first = prices.toSorted((one, other) => from(one).localeCompare(from(other)))[0];
    const all = overlayPrices(book.published.get(model) ?? [], book.own.get(model) ?? []);
    const has = (kind: TokenKind): boolean =>
      first !== undefined &&
      pricesAt(
        all.filter((price) => price.kind === kind),
        from(first),
      ).length > 0;
    return (['input', 'output'] as const)
      .filter((kind) => !has(kind))
      .map((kind) => `${first?.place}: ${model}: there is no ${kind} price from ${first?.valid_from ?? 'now'}`);
  });
}

/** Tiers of a file that belong together, with the line of the first. */
export function groupTiers(file: readonly FilePrice[]): readonly WantedPrice[] {
  const groups = Map.groupBy(file, (price) => `${price.valid_from ?? 'now'}\t${subjectOf(price)}`);
  return [...groups.values()].flatMap((rows): WantedPrice[] => {
    const [first] = rows;
    if (first === undefined) return [];
    const { provider, model, kind, valid_from, place } = first;
    return [{ provider, model, kind, valid_from, tiers: tiersOf(rows), place }];
  });
}

function rowsOf({ provider, model, kind, tiers }: WantedPrice, valid_from: string): readonly OwnPrice[] {
  const key = { provider, model, kind, valid_from };
  if (tiers.length === 0) return [{ ...key, above_tokens: 0, usd_mtok: null }];
  return tiers.map((tier) => ({ ...key, ...tier }));
}

function tiersOf(
  rows: readonly { readonly above_tokens: number; readonly usd_mtok: string | null }[],
): readonly Tier[] {
  return sorted(
    rows.flatMap(({ above_tokens, usd_mtok }) =>
      usd_mtok === null ? [] : [{ above_tokens, usd_mtok: new Big(usd_mtok).toFixed() }],
    ),
  );
}

function sorted(tiers: readonly Tier[]): readonly Tier[] {
  return tiers.toSorted((one, other) => one.above_tokens - other.above_tokens);
}

function sameTiers(one: readonly Tier[], other: readonly Tier[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function isoOf(valid_from: string | null): string | null {
  if (valid_from === null) return null;
  return `${valid_from.slice(0, 10)}T${valid_from.slice(11) || '00:00:00'}Z`;
}
