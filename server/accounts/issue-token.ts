import { NetraError } from '@netra/contract';
import { mapPostgresError } from '../platform/index.ts';
import type { AccountsRoom } from './room.ts';
import type { Membership } from './sql/memberships.ts';
import { tokenTtl_s, type TokenClaims } from './token-claims.ts';

/** Signs an access token for a membership that the caller has just read. `ttl_s` seconds of life. */
export async function issueToken(room: AccountsRoom, member: Membership, ttl_s: number = tokenTtl_s): Promise<string> {
  const iat = Math.floor(room.platform.clock.nowMs() / 1000);
  const claims: TokenClaims = { sub: member.user_id, org: member.org_id, role: member.role, iat, exp: iat + ttl_s };
  const payload = { ...claims, iss: room.issuer, aud: room.audience };
  try {
    const { token } = await room.auth.api.signJWT({ body: { payload } });
    return token;
  } catch (error) {
    if (error instanceof Error && /decrypt private key/i.test(error.message)) throw otherSecret(error);
    throw mapPostgresError(error, null);
  }
}

/** Not mended by a new key: two nodes with different secrets would make one for each token, for ever. */
function otherSecret(cause: Error): NetraError {
  const message = 'NETRA_SECRET is not the one that this database was set up with';
  return new NetraError('config_invalid', message, {}, { cause });
}
