import type { Statement } from '../../platform/index.ts';
import type { Price } from '../price-book.ts';

export function keepPriceBookStatement(version: string, prices: readonly Price[]): Statement {
  return {
    text: 'select netra.keep_price_book($1, $2::jsonb) as kept',
    // Only what the table has: a rated price also carries a bigint, which JSON has no form for.
    values: [
      version,
      JSON.stringify(prices, (_name, value: unknown) => (typeof value === 'bigint' ? undefined : value)),
    ],
  };
}

export function hasPriceBookStatement(version: string): Statement {
  return { text: 'select from netra.price_book where book_version = $1', values: [version] };
}

/** The version's prices; `above_tokens` as a number, since no request has 2^53 tokens. */
export function readPriceBookStatement(version: string): Statement {
  return {
    text: `select provider, model, kind, netra.price_moment(valid_from) as valid_from,
                  above_tokens::float8 as above_tokens, usd_mtok::text as usd_mtok
             from netra.price where book_version = $1`,
    values: [version],
  };
}

/** The kept versions, newest first. */
export function listPriceBooksStatement(limit: number): Statement {
  return {
    text: 'select book_version as version, kept_at from netra.price_book order by kept_at desc limit $1',
    values: [limit],
  };
}

/** The last change of own prices. */
export function readPriceRevisionStatement(): Statement {
  return {
    name: 'billing.price_revision',
    text: `select coalesce((select max(change_id) from netra.book_change where book = 'price'), 0)::bigint as revision`,
    values: [],
  };
}

/** The installation's own prices; what they say is checked when a book is made of them. */
export function readOwnPricesStatement(): Statement {
  return {
    text: `select provider, model, kind, netra.price_moment(valid_from) as valid_from,
                  above_tokens::float8 as above_tokens, usd_mtok::text as usd_mtok
             from netra.own_price order by provider, model, kind, own_price.valid_from, above_tokens`,
    values: [],
  };
}

export interface PriceChange {
  readonly at: Date;
  readonly changed_by: string;
  /** `provider/model kind`. */
  readonly subject: string;
  readonly valid_from: Date;
  readonly action: 'add' | 'replace' | 'retire';
}

/** Who changed the prices of `provider/model`, and when; newest first. */
export function listPriceChangesStatement(model: string): Statement {
  return {
    text: `select at, changed_by, subject, valid_from, action from netra.book_change
            where book = 'price' and split_part(subject, ' ', 1) = $1 order by change_id desc limit 200`,
    values: [model],
  };
}
