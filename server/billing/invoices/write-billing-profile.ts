import { z } from 'zod';
import { parseInput, type Ctx } from '../../platform/index.ts';
import { checkVatId } from './check-vat-id.ts';
import { address, country, legalName, mayHandleMoney } from './schemas.ts';
import { setProfileStatement, type ProfileRow } from './sql/parties.ts';

const input = z.object({
  name: legalName,
  address,
  country,
  vat_id: z.string().trim().min(1).max(40).nullable().default(null),
  email: z.email().max(254).nullable().default(null),
});
export type WriteBillingProfileInput = z.input<typeof input>;

/**
 * Says whom the organisation's invoices are made out to, from the next one on; the whole profile is replaced. Owner or
 * admin. Throws `forbidden`, and `invalid_request` for a VAT id that is not one of the country.
 */
export async function writeBillingProfile({
  ctx,
  input: raw,
}: {
  ctx: Ctx;
  input: WriteBillingProfileInput;
}): Promise<ProfileRow> {
  mayHandleMoney(ctx.principal);
  const given = parseInput(input, raw);
  const vat_id = given.vat_id === null ? null : checkVatId(given.vat_id, given.country);
  const profile = { ...given, vat_id };
  await ctx.platform.postgres.call(setProfileStatement(ctx.principal.org_id, profile));
  return profile;
}
