import { expect, it } from 'vitest';
import { checkBooks, grantCredits, placeHold, settleHold } from '../../../../server/ledger/index.ts';
import {
  changePlan,
  grantDuePeriods,
  importPlans,
  planOf,
  scheduleGrant,
  subscribe,
  type ScheduleGrantInput,
} from '../../../../server/plans/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { credit } from '../../ledger-node.ts';
import { ageSchedules } from '../age-schedules.ts';
import { ageSubscription } from '../age-subscription.ts';
import { balance, type Stage } from './stage.ts';

/** Dearer than any other and narrower: what tests beside this one are told would lift a limit stays the same. */
const terms = {
  price_usd: '949.00',
  credits: '2000',
  runs_month: 1,
  seconds_run: 1,
  concurrent_runs: 1,
  requests_hour: 1,
  agents: ['triage'],
  features: [],
  priority: 15,
  rollover_periods: 0,
  overage: 'stop',
  overage_usd_credit: null,
};
const daily = { unit: 'day', count: 1 } as const;

interface Source {
  readonly source: string;
  readonly grants: number;
  readonly left: string;
  readonly expired: string;
}

/** Scheduled and recurring credits, roll-over, breakage, and edits of a plan: call it inside credits-1's block. */
export function grants(stage: () => Stage): void {
  const edit = (plan: string, changed: object) => {
    const text = JSON.stringify({ plans: [{ ...terms, plan, ...changed }] });
    return importPlans({ platform: stage().node.platform, input: { text, by: 'ada' } });
  };
  const give = ({ principal }: Ctx, key: string, given: Partial<ScheduleGrantInput>) => {
    const usual = { amount_micro: 100n * credit, source: 'promotion', reason: key, by: 'ada' } as const;
    const { platform } = stage().node;
    return scheduleGrant({ platform, input: { ...usual, key, org: principal.org_id, ...given } });
  };
  const due = (): Promise<number> => grantDuePeriods({ platform: stage().node.platform, limit: 1_000 });
  const spend = async (ctx: Ctx, amount: bigint): Promise<void> => {
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: amount * credit, reason: 'fee', key: 'h' } });
    await settleHold({ ctx, input: { hold_id, capture_micro: amount * credit, reason: 'run', key: 'h' } });
  };
  /** As if the plan's last edit had been made before the period ended. */
  const backdate = (plan: string): Promise<readonly object[]> =>
    stage().node.owner(
      `insert into netra.plan select (jsonb_populate_record(p, '{"valid_from": "2026-02-01Z"}')).*
         from netra.plan p where p.plan_id = $1 order by p.valid_from desc limit 1`,
      [plan],
    );
  const sources = ({ principal }: Ctx): Promise<readonly Source[]> =>
    stage().node.owner<Source>(
      `select source, count(*)::int as grants, (sum(remaining_micro) / 1000000)::bigint::text as left,
              (sum(expired_micro) / 1000000)::bigint::text as expired
         from netra.credit_grant where org_id = $1 group by source order by source`,
      [principal.org_id],
    );

  // Planted bug that turns it red: cap_rollover() over all grants of the wallet.
  it('credits-1 gives what is scheduled once, resets the daily credits alone, and books what ends as breakage', async () => {
    const ctx = await stage().onPlan('early');
    const pack = { amount_micro: 700n * credit, source: 'purchase', reason: 'pack', key: 'pack' } as const;
    await grantCredits({ ctx, input: pack });
    await give(ctx, 'daily', { every: daily, cap_micro: 0n });
    await give(ctx, 'saved', {
      every: daily,
      amount_micro: 10n * credit,
      cap_micro: 20n * credit,
      source: 'adjustment',
    });
    await give(ctx, 'later', { first_at: new Date(Date.now() + 2 * 86_400_000), amount_micro: 5n * credit });
    expect(await balance(ctx)).toBe((1_000n + 700n + 100n + 10n) * credit);
    for (let day = 1; day <= 4; day += 1) {
      await ageSchedules(stage().node, ctx, 1);
      await Promise.all([due(), due(), planOf({ ctx, input: {} }), planOf({ ctx, input: {} }), due()]);
    }
    expect(await sources(ctx)).toEqual([
      // 20 rolled over of 40, and the day's own 10.
      { source: 'adjustment', grants: 5, left: '30', expired: '20' },
      { source: 'plan', grants: 1, left: '1000', expired: '0' },
      { source: 'promotion', grants: 6, left: '105', expired: '400' },
      { source: 'purchase', grants: 1, left: '700', expired: '0' },
    ]);
    const text = `select (sum(expired_micro) / 1000000)::bigint::text as booked from netra.transfer
                   where org_id = $1 and kind = 'expire'`;
    expect(await stage().node.owner(text, [ctx.principal.org_id])).toEqual([{ booked: '420' }]);
    await spend(ctx, 130n);
    expect(await balance(ctx)).toBe((1_000n + 700n + 105n + 30n - 130n) * credit);
    expect(
      (await sources(ctx)).find(({ source }) => source === 'purchase'),
      'bought ones burn last',
    ).toMatchObject({
      left: '700',
    });
  });

  // Planted bug that turns it red: change_plan() that takes other terms of the same plan for an upgrade.
  it('credits-1 wipes no balance when a plan is edited, in its period or at the end of it', async () => {
    const plan = 'edited';
    await edit(plan, { rollover_periods: 1 });
    const ctx = await stage().node.newOrg();
    await subscribe({ ctx, input: { plan } });
    await spend(ctx, 300n);
    for (const changed of [{ credits: '500' }, { credits: '9000', price_usd: '901.00' }, { credits: '600' }]) {
      await edit(plan, changed);
      await Promise.all([due(), planOf({ ctx, input: {} }), changePlan({ ctx, input: { plan } })]);
      expect(await balance(ctx), JSON.stringify(changed)).toBe(1_700n * credit);
    }
    // As if the last edit had been made before the period ended.
    await stage().node
      .owner(`insert into netra.plan select (jsonb_populate_record(p, '{"valid_from": "2026-02-01Z"}')).*
      from netra.plan p where p.plan_id = '${plan}' order by p.valid_from desc limit 1`);
    await ageSubscription(stage().node, ctx, { periods: 1 });
    await planOf({ ctx, input: {} });
    expect(await balance(ctx), 'what rolls over by the old terms, and the month by the new').toBe(2_300n * credit);
  });

  // Planted bug that turns it red: roll_periods() that does not ask charge_period(), and grant_period_once() without exists().
  it('credits-1 gives a month once, while it is renewed, edited, upgraded and cancelled at the same time', async () => {
    const plan = 'crowded';
    await edit(plan, { credits: '2000' });
    const ctx = await stage().node.newOrg();
    await subscribe({ ctx, input: { plan } });
    await backdate(plan);
    await ageSubscription(stage().node, ctx, { periods: 1 });
    await Promise.all([
      ...Array.from({ length: 4 }, due),
      ...Array.from({ length: 4 }, () => planOf({ ctx, input: {} })),
      ...Array.from({ length: 4 }, () => subscribe({ ctx, input: { plan } })),
      edit(plan, { credits: '2500' }),
      changePlan({ ctx, input: { plan: 'mid' } }),
      changePlan({ ctx, input: { plan: 'mid' } }),
    ]);
    const months = await stage().node.owner<{ period: string; grants: number }>(
      `select g.reason as period, count(*)::int as grants from netra.credit_grant g
        where g.org_id = $1 and g.source = 'plan' group by g.reason order by g.reason`,
      [ctx.principal.org_id],
    );
    expect(months).toEqual([
      { period: `${plan} plan, period 0`, grants: 1 },
      { period: `${plan} plan, period 1`, grants: 1 },
    ]);
    const again = `insert into netra.credit_grant select (jsonb_populate_record(g,
      jsonb_build_object('grant_id', gen_random_uuid()))).* from netra.credit_grant g where g.org_id = $1 and g.source = 'plan'`;
    await expect(stage().node.owner(again, [ctx.principal.org_id]), 'nor by hand').rejects.toThrow(/unique/);
    expect(await checkBooks({ platform: stage().node.platform })).toEqual([]);
  });
}
