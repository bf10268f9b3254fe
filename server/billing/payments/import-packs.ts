import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { oneRow, parseInput, type Platform } from '../../platform/index.ts';
import { packName, usd } from './schemas.ts';
import { keepPackStatement } from './sql/purchases.ts';

const micro = 1_000_000n;
const packs = z
  .array(
    z.strictObject({
      pack: packName,
      valid_from: z.iso.datetime({ offset: true }).transform((text) => new Date(text)),
      name: z.string().trim().min(1).max(100),
      credits: z.number().int().min(1).max(1_000_000_000),
      price_usd: usd,
      on_sale: z.boolean().default(true),
    }),
  )
  .min(1)
  .max(1_000);

/**
 * Adds dated packs from the text of a JSON file; what is there already stays and is not counted. Throws
 * `invalid_request` for a file that is not whole or would begin in the past, `conflict` where the same date has other
 * terms. A file that is refused in the middle has kept the packs before it, and can be given again.
 */
export async function importPacks({
  platform,
  text,
}: {
  platform: Platform;
  text: string;
}): Promise<{ readonly added: number }> {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw new NetraError('invalid_request', 'The file is not JSON.', {}, { cause: error });
  }
  let added = 0;
  for (const { credits, ...pack } of parseInput(packs, file)) {
    const statement = keepPackStatement({ ...pack, credits_micro: BigInt(credits) * micro });
    const { kept } = oneRow(await platform.postgres.call<{ kept: boolean }>(statement));
    if (kept) added += 1;
  }
  return { added };
}
