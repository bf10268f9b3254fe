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
    text: `select provider, model, kind, to_char(valid_from, 'YYYY-MM-DD') as valid_from,
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
