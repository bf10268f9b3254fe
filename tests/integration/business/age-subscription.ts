import type { Ctx } from '../../../server/platform/index.ts';
import type { LedgerNode } from '../ledger-node.ts';

/**
 * Sets the stage: the organisation's subscription began earlier, and its grants with it. `days` = the period began so
 * many days ago; `periods: 1` = the current period has just ended. Database time itself cannot be moved.
 * Each further period is a minute longer ago: a grant must not land on the place that another is just leaving.
 */
export async function ageSubscription(
  node: LedgerNode,
  ctx: Ctx,
  age: { readonly days: number } | { readonly periods: 1 },
): Promise<void> {
  const start =
    'days' in age
      ? `now() - interval '${age.days} days'`
      : `(now() at time zone 'UTC' - make_interval(months => s.period_index + 1, mins => s.period_index + 1)) at time zone 'UTC'`;
  await node.owner(
    `with old as (select s.*, date_trunc('second', ${start}) as anchor from netra.subscription s where s.org_id = $1),
     moved as (
       update netra.credit_grant g
          set expires_at = netra.period_start_of(o.anchor, e.n), period_start = netra.period_start_of(o.anchor, p.n)
         from old o, generate_series(0, 60) e (n), generate_series(0, 60) p (n)
        where g.org_id = $1 and g.expires_at = netra.period_start_of(o.anchor_at, e.n)
          and g.period_start = netra.period_start_of(o.anchor_at, p.n)
     ), charged as (
       update netra.subscription_charge c
          set period_start = netra.period_start_of(o.anchor, c.period_index),
              period_end = netra.period_start_of(o.anchor, c.period_index + 1)
         from old o where c.org_id = $1 and c.subscription_id = o.subscription_id
     )
     update netra.subscription s
        set anchor_at = o.anchor, period_start = netra.period_start_of(o.anchor, s.period_index),
            period_end = netra.period_start_of(o.anchor, s.period_index + 1)
       from old o where s.org_id = $1 and s.subscription_id = o.subscription_id`,
    [ctx.principal.org_id],
  );
}
