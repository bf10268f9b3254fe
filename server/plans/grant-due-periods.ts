import { oneRow, type Platform } from '../platform/index.ts';
import { forgetQuota } from './request-quota.ts';
import { grantPeriodStatement, orgsDueStatement } from './sql/plans.ts';

/**
 * For a schedule: rolls the periods that have ended, gives the new ones' credits and books what expired, at most
 * `limit` organisations, one transaction each. Run by several nodes at once it still gives once. Returns how many
 * organisations it visited: as many as `limit` means that more may be waiting.
 */
export async function grantDuePeriods({ platform, limit }: { platform: Platform; limit: number }): Promise<number> {
  const due = await platform.postgres.call<{ org_id: string }>(orgsDueStatement(limit));
  for (const { org_id } of due) {
    oneRow(await platform.postgres.call(grantPeriodStatement(org_id)));
    await forgetQuota(platform, org_id);
  }
  return due.length;
}
