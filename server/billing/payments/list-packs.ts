import type { Platform } from '../../platform/index.ts';
import { listPacksStatement, type PackRow } from './sql/purchases.ts';

/** The packs of credits on sale now, smallest first. Prices are net. */
export async function listPacks({ platform }: { platform: Platform }): Promise<readonly PackRow[]> {
  return platform.postgres.call<PackRow>(listPacksStatement());
}
