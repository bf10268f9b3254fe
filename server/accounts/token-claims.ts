import { role } from '@netra/contract';
import { z } from 'zod';

/** Life of an access token. What a role change or a removal takes to reach a token that is already out. */
export const tokenTtl_s = 15 * 60;
/** The longest that anybody may ask for (operators do); signing keys stay published longer than this. */
export const maxTokenTtl_s = 7 * 24 * 3600;
/** The one algorithm: a token that names another is refused before its key is looked up. */
export const tokenAlgorithm = 'EdDSA';

/** What an access token says, besides `iss` and `aud`. */
export const tokenClaims = z.object({
  sub: z.uuid(),
  org: z.uuid(),
  role,
  iat: z.number().int(),
  exp: z.number().int(),
});
export type TokenClaims = z.infer<typeof tokenClaims>;
