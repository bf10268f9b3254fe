import { NetraError } from '@netra/contract';
import type { FastifyReply } from 'fastify';
import type { Ctx, Platform } from '../platform/index.ts';

/** Where a caller stands in its window; `max` null = no limit. */
export interface RequestRate {
  readonly max: number | null;
  readonly remaining: number;
  readonly resets_in_ms: number;
  readonly window_ms: number;
}

/** What http needs of plans: counts one request, throws `rate_limited` with a detail of the same fields when over. */
export interface RequestCounter {
  checkRequestRate(options: { ctx: Ctx }): Promise<RequestRate>;
}

/** Requests that nobody has signed in for, per address. Sign-in attempts are bounded by it too. */
export interface PublicLimit {
  readonly max: number;
  readonly window_ms: number;
}

/** Counts one unauthenticated request of an address. */
export async function countPublicRequest(platform: Platform, limit: PublicLimit, ip: string): Promise<RequestRate> {
  const { max, window_ms } = limit;
  const key = `netra:{public}:requests:${ip}`;
  const { allowed, remaining, resets_in_ms } = await platform.redis.consume({ key, points: 1, max, window_ms });
  const rate = { max, remaining, resets_in_ms, window_ms };
  if (!allowed) {
    throw new NetraError('rate_limited', 'Too many requests from your address; wait and try again.', {
      limit: 'requests_address',
      ...rate,
    });
  }
  return rate;
}

/** draft-ietf-httpapi-ratelimit-headers: the quota, and what is left of it. */
export function writeRateHeaders(reply: FastifyReply, policy: string, rate: RequestRate): void {
  if (rate.max === null) return;
  const window_s = Math.ceil(rate.window_ms / 1000);
  const resets_s = Math.max(0, Math.ceil(rate.resets_in_ms / 1000));
  void reply.header('RateLimit-Policy', `"${policy}";q=${rate.max};w=${window_s}`);
  void reply.header('RateLimit', `"${policy}";r=${Math.max(0, rate.remaining)};t=${resets_s}`);
}

/** `Retry-After` for a refusal that says when it may be tried again; whole seconds, at least 1 (RFC 9110 §10.2.3). */
export function writeRetryAfter(reply: FastifyReply, error: NetraError): void {
  const wait_ms = error.detail['resets_in_ms'] ?? error.detail['retry_after_ms'];
  if (typeof wait_ms === 'number') void reply.header('Retry-After', Math.max(1, Math.ceil(wait_ms / 1000)));
  else if (error.status === 429 || error.status === 503) void reply.header('Retry-After', 1);
}
