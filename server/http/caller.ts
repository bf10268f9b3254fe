import { NetraError } from '@netra/contract';
import type { FastifyRequest } from 'fastify';
import type { Authenticator, Ctx, Platform } from '../platform/index.ts';

/** What a public operation gets: nobody has signed in. */
export type PublicCtx = Pick<Ctx, 'platform' | 'trace_id'>;

// RFC 6750 §2.1; the scheme is case-insensitive (RFC 9110 §11.1). Never read from the URL: URLs are logged.
const bearer = /^bearer +([\w\-.~+/]+=*)$/i;

/** The bearer token of an Authorization header; undefined if there is no such header. */
function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const token = bearer.exec(header)?.[1];
  if (token === undefined || token.length > 8192) {
    throw new NetraError('unauthenticated', 'The Authorization header must be `Bearer <token>`.');
  }
  return token;
}

/** The context of a request: its principal, authenticated now, and its trace. */
export async function ctxOf(platform: Platform, accounts: Authenticator, request: FastifyRequest): Promise<Ctx> {
  const token = bearerToken(request.headers.authorization);
  if (token === undefined)
    throw new NetraError('unauthenticated', 'Send your token as `Authorization: Bearer <token>`.');
  return { platform, trace_id: request.id, principal: await accounts.authenticate(platform, token) };
}
