import type { Ctx } from '../../../server/platform/index.ts';
import type { LedgerNode } from '../ledger-node.ts';

/**
 * Sets the stage: the organisation's subscription began earlier, and its grants with it. `days` = the period began so
 * many days ago; `periods: 1` = the current period has just ended; `ends_in_s` = it ends so many seconds after the
 * second that runs. Database time itself cannot be moved.
 * Each further period is a minute longer ago: a grant must not land on the place that another is just leaving.
 */
export async function ageSubscription(
  node: Pick<LedgerNode, 'owner'>,
  { principal: { org_id } }: { readonly principal: Pick<Ctx['principal'], 'org_id'> },
  age: { readonly days: number } | { readonly periods: 1 } | { readonly ends_in_s: number },
): Promise<void> {
  const back = (time: string): string =>
    `(now() at time zone 'UTC' - make_interval(months => s.period_index + 1) + ${time}) at time zone 'UTC'`;
  const start =
    'days' in age
      ? `now() - interval '${age.days} days'`
      : 'periods' in age
        ? back('make_interval(mins => - s.period_index - 1)')
        : back(`interval '${age.ends_in_s} seconds'`);
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
    [org_id],
  );
}
