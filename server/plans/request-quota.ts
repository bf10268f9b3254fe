import { z } from 'zod';
import type { Platform } from '../platform/index.ts';
import { cacheBounds_ms, oneRow } from '../platform/index.ts';
import { planOfStatement, type PlanTerms } from './sql/plans.ts';

/** So long nobody keeps what it reads after a change: longer than a read that began before it can take. */
const changed = 'changed';

const quota = z.object({ plan_id: z.string(), max: z.number().int().nullable() });
export type RequestQuota = z.infer<typeof quota>;

const quotaKey = (org_id: string): string => `netra:{${org_id}}:request_quota`;

/** The plan's requests an hour, from the cache: each request asks, and plans change rarely. */
export async function readQuota(platform: Platform, org_id: string): Promise<RequestQuota> {
  const cached = await platform.redis.get(quotaKey(org_id));
  if (cached !== null && cached !== changed) return quota.parse(JSON.parse(cached));
  const terms = oneRow(await platform.postgres.call<PlanTerms>(planOfStatement(org_id)));
  const fresh = { plan_id: terms.plan_id, max: terms.requests_hour };
  // Only where there is nothing: what was read before a change must not come back over the mark of it.
  await platform.redis.add(quotaKey(org_id), JSON.stringify(fresh), cacheBounds_ms.request_quota);
  return fresh;
}

/** After a change of plan: the next request on any node reads the new quota. */
export async function forgetQuota(platform: Platform, org_id: string): Promise<void> {
  await platform.redis.set(quotaKey(org_id), changed, cacheBounds_ms.request_quota);
}
