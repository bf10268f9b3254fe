import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { address, country, legalName } from './schemas.ts';
import { setSellerStatement } from './sql/parties.ts';

const input = z.object({
  seller_id: z
    .string()
    .regex(/^[a-z][a-z0-9_-]{0,31}$/)
    .default('main'),
  name: legalName,
  address,
  country,
  tax_id: z.string().trim().min(1).max(40).nullable().default(null),
  number_prefix: z
    .string()
    .regex(/^[A-Z0-9][A-Z0-9-]{0,18}$/, 'capitals, digits and hyphens')
    .regex(/(?<!-|CN)$/, 'no end in - or CN, which would read as the series of credit notes'),
  terms_days: z.number().int().min(0).max(365).default(14),
  notes: z.string().max(2000).default(''),
});
export type SetSellerInput = z.input<typeof input>;

/**
 * For operators: says who sells, from the next invoice on. Another `seller_id` is another seller with series of its own;
 * throws `conflict` for another prefix once numbers were issued, and for a prefix that another seller has.
 */
export async function setSeller({
  platform,
  input: raw,
}: {
  platform: Pick<Platform, 'postgres'>;
  input: SetSellerInput;
}): Promise<void> {
  await platform.postgres.call(setSellerStatement(parseInput(input, raw)));
}
