import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import { planThatLifts } from './plan-that-lifts.ts';
import { readQuota } from './request-quota.ts';

/** The hours are those of the clock, the same on every node. */
const window_ms = 3_600_000;

/** Where the organisation stands in this hour; `max` null = no limit. */
export interface RequestRate {
  readonly max: number | null;
  readonly remaining: number;
  readonly resets_in_ms: number;
  readonly window_ms: number;
}

/** Counts one request; throws `rate_limited` when the plan's requests of this hour are used up. */
export async function checkRequestRate({ ctx }: { ctx: Ctx }): Promise<RequestRate> {
  const { platform, principal } = ctx;
  const { plan_id, max } = await readQuota(platform, principal.org_id);
  if (max === null) return { max, remaining: Number.MAX_SAFE_INTEGER, resets_in_ms: 0, window_ms };
  const key = `netra:{${principal.org_id}}:requests`;
  const { allowed, remaining, resets_in_ms } = await platform.redis.consume({ key, points: 1, max, window_ms });
  if (allowed) return { max, remaining, resets_in_ms, window_ms };
  throw new NetraError('rate_limited', `The ${plan_id} plan allows ${max} requests an hour; wait or upgrade.`, {
    limit: 'requests_hour',
    used: String(max),
    max: String(max),
    plan_that_lifts_it: await planThatLifts({ platform, limit: 'requests_hour', need: BigInt(max) + 1n }),
    remaining,
    resets_in_ms,
    window_ms,
  });
}
