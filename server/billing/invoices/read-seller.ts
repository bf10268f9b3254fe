import type { Platform } from '../../platform/index.ts';
import { currentSellerStatement, type SellerRow } from './sql/parties.ts';

/** Who sells now; null before anybody was named, and then nothing is invoiced. */
export async function readSeller({ platform }: { platform: Pick<Platform, 'postgres'> }): Promise<SellerRow | null> {
  const [seller] = await platform.postgres.call<SellerRow>(currentSellerStatement());
  return seller ?? null;
}
