import type { Platform } from '../../platform/index.ts';
import { listTaxRatesStatement, type TaxRateRow } from './sql/parties.ts';

/** Every dated rate, by country and date. Nobody's data: needs no tenant. */
export async function listTaxRates({
  platform,
}: {
  platform: Pick<Platform, 'postgres'>;
}): Promise<readonly TaxRateRow[]> {
  return platform.postgres.call<TaxRateRow>(listTaxRatesStatement());
}
