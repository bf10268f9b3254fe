import type { Ctx } from '../../../server/platform/index.ts';
import type { LedgerNode } from '../ledger-node.ts';

/** Sets the stage: the organisation's schedules, and what they gave, are so many days older. */
export async function ageSchedules(
  node: Pick<LedgerNode, 'owner'>,
  { principal: { org_id } }: Pick<Ctx, 'principal'>,
  days: number,
): Promise<void> {
  await node.owner(
    `with s as (
       update netra.grant_schedule set first_at = first_at - interval '${days} days',
              next_at = next_at - interval '${days} days' where org_id = $1
     )
     update netra.credit_grant g set expires_at = g.expires_at - interval '${days} days'
       from netra.scheduled_grant o
      where g.org_id = $1 and o.org_id = $1 and o.grant_id = g.grant_id and g.expires_at > now()`,
    [org_id],
  );
}
