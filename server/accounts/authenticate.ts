import { NetraError } from '@netra/contract';
import { errors, jwtVerify } from 'jose';
import type { Principal } from '../platform/index.ts';
import { authenticateApiKey } from './authenticate-api-key.ts';
import { apiKeyPrefix } from './open-auth.ts';
import type { AccountsRoom } from './room.ts';
import { tokenAlgorithm, tokenClaims } from './token-claims.ts';
import { unauthenticated } from './unauthenticated.ts';

const maxToken_bytes = 8192;
const uuidShape = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/**
 * Who a bearer token belongs to: an access token (checked here, no round trip) or an API key. Throws `token_expired`
 * only for a token whose signature is ours; everything else is `unauthenticated`, which never says what was wrong.
 */
export async function authenticate(room: AccountsRoom, token: string): Promise<Principal> {
  if (token.length > maxToken_bytes) throw unauthenticated();
  return token.startsWith(apiKeyPrefix) ? authenticateApiKey(room, token) : authenticateJwt(room, token);
}

async function authenticateJwt(room: AccountsRoom, token: string): Promise<Principal> {
  const claims = tokenClaims.safeParse(await verify(room, token));
  if (!claims.success) throw unauthenticated();
  const { sub, org, role, exp } = claims.data;
  return { org_id: org, user_id: sub, role, kind: 'user', expires_at_ms: exp * 1000 };
}

async function verify(room: AccountsRoom, token: string): Promise<unknown> {
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        const key = kid !== undefined && uuidShape.test(kid) ? await room.signingKeys.find(kid) : null;
        if (!key) throw unauthenticated();
        return key;
      },
      {
        algorithms: [tokenAlgorithm],
        issuer: room.issuer,
        audience: room.audience,
        requiredClaims: ['exp', 'iat', 'sub'],
        currentDate: new Date(room.platform.clock.nowMs()),
      },
    );
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired)
      throw new NetraError('token_expired', 'The token has expired; get a new one');
    if (error instanceof errors.JOSEError) throw unauthenticated();
    throw error;
  }
}
