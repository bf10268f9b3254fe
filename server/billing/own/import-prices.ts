import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { groupTiers, type PriceDifference } from './compare-prices.ts';
import { editPrices } from './edit-prices.ts';
import { readPriceFile } from './price-file.ts';

const input = z.object({
  text: z.string().max(10_000_000),
  format: z.enum(['csv', 'json']),
  /** Who changes it; kept. */
  by: z.string().min(1).max(200),
  /** Says what it would do, and writes nothing. */
  dry_run: z.boolean().default(false),
});

/**
 * Puts a file's prices over the published ones, all or none, now or from their `valid_from`; every node rates by them
 * within seconds. What was rated before names its own book, which is kept. The same file again changes nothing. Answers
 * the differences. Throws `invalid_request` with every problem of the file, `conflict` if somebody else edits meanwhile.
 */
export async function importPrices({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: z.input<typeof input>;
}): Promise<readonly PriceDifference[]> {
  const { text, format, by, dry_run } = parseInput(input, raw);
  const { prices, problems } = readPriceFile(text, format);
  return editPrices(platform, { by, dry_run, problems, want: () => groupTiers(prices) });
}
