import type { Postgres } from '../platform/index.ts';
import { checkBooksStatement, type BreachRow } from './sql/examination.ts';

/** Something in the books that does not add up. Amounts are micro-credits as decimal strings. */
export type Breach = BreachRow;

/** Breaches that are told. */
const maxBreaches = 10_000;

/** M1–M3 over every organisation, read-only, in one snapshot. None = the books balance. */
export async function checkBooks({
  platform,
}: {
  platform: { readonly postgres: Pick<Postgres, 'call'> };
}): Promise<readonly Breach[]> {
  return platform.postgres.call<BreachRow>(checkBooksStatement('all', maxBreaches));
}
