import { z } from 'zod';
import type { Platform } from '../platform/index.ts';
import { oneRow } from '../platform/index.ts';
import { planOfStatement, type PlanTerms } from './sql/plans.ts';

/** How stale a cached quota may be on a node that missed the invalidation. */
const quotaTtl_ms = 10_000;

const quota = z.object({ plan_id: z.string(), max: z.number().int().nullable() });
export type RequestQuota = z.infer<typeof quota>;

const quotaKey = (org_id: string): string => `netra:{${org_id}}:request_quota`;

/** The plan's requests an hour, from the cache: each request asks, and plans change rarely. */
export async function readQuota(platform: Platform, org_id: string): Promise<RequestQuota> {
  const cached = await platform.redis.get(quotaKey(org_id));
  if (cached !== null) return quota.parse(JSON.parse(cached));
  const terms = oneRow(await platform.postgres.call<PlanTerms>(planOfStatement(org_id)));
  const fresh = { plan_id: terms.plan_id, max: terms.requests_hour };
  await platform.redis.set(quotaKey(org_id), JSON.stringify(fresh), quotaTtl_ms);
  return fresh;
}

/** After a change of plan: the next request reads the new quota. */
export async function forgetQuota(platform: Platform, org_id: string): Promise<void> {
  await platform.redis.delete(quotaKey(org_id));
}
