import { randomUUID } from 'node:crypto';
import type { NetraError } from '@netra/contract';
import { eventually } from '@netra/testkit';
import { expect, it } from 'vitest';
import { admitRun } from '../../../../server/agents/index.ts';
import { placeHold } from '../../../../server/ledger/index.ts';
import { changePlan, checkRequestRate, planThatLifts, requireFeature } from '../../../../server/plans/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { requestCancel } from '../../../../server/runs/index.ts';
import { credit } from '../../ledger-node.ts';
import { ageSubscription } from '../age-subscription.ts';
import { planNames, plans } from '../plan-table.ts';
import { refusal, type Stage } from './stage.ts';

/** credits-3; call it inside its describe block. */
export function enforcement(stage: () => Stage): void {
  const ask = (ctx: Ctx, agent = 'triage'): Promise<{ run: string }> =>
    admitRun({ ctx, input: { agent, input: { question: 'what for?' }, idempotency_key: randomUUID() } });

  async function nothingWritten(ctx: Ctx, call: () => Promise<unknown>): Promise<NetraError> {
    const count = `select (select count(*) from netra.run where org_id = $1) as runs,
      (select count(*) from netra.hold where org_id = $1) as holds,
      (select count(*) from netra.thread where org_id = $1) as threads`;
    const before = await stage().node.owner(count, [ctx.principal.org_id]);
    const refused = await refusal(call());
    expect(await stage().node.owner(count, [ctx.principal.org_id])).toEqual(before);
    return refused;
  }

  // Planted bug that turns each of these red: the limit's branch of netra.check_limits() taken out.
  it('credits-3 refuses an agent that the plan lacks, and names the plan that has it', async () => {
    const lifting = { data: 'early', optimization: 'mid' };
    const ctx = await stage().onPlan('free');
    for (const [agent, plan] of Object.entries(lifting)) {
      const refused = await nothingWritten(ctx, () => ask(ctx, agent));
      expect(refused).toMatchObject({
        code: 'agent_not_in_plan',
        detail: { limit: 'agents', plan_that_lifts_it: plan },
      });
    }
    const { platform } = stage().node;
    expect(await planThatLifts({ platform, limit: 'agents', name: 'research' })).toBe('enterprise');
    expect(await planThatLifts({ platform, limit: 'agents', name: 'unheard-of' })).toBeNull();
  });

  it('credits-3 refuses one run too many at once, and lets the next in when one has ended', async () => {
    const ctx = await stage().onPlan('early');
    const admitted = await Promise.allSettled(Array.from({ length: 6 }, () => ask(ctx)));
    const runs = admitted.flatMap((each) => (each.status === 'fulfilled' ? [each.value.run] : []));
    expect(runs).toHaveLength(2);
    expect(await nothingWritten(ctx, () => ask(ctx))).toMatchObject({
      code: 'concurrent_runs',
      status: 429,
      detail: { limit: 'concurrent_runs', used: '2', max: '2', plan_that_lifts_it: 'mid' },
    });
    await requestCancel({ ctx, input: { run: runs[0] ?? '' } });
    expect(await ask(ctx)).toMatchObject({ run: expect.any(String) });
  });

  it('credits-3 refuses the run after the last of the month, until the next period', async () => {
    const ctx = await stage().onPlan('free');
    for (let run = 0; run < 10; run += 1) await requestCancel({ ctx, input: { run: (await ask(ctx)).run } });
    expect(await nothingWritten(ctx, () => ask(ctx))).toMatchObject({
      code: 'plan_limit',
      detail: { limit: 'runs_month', used: '10', max: '10', plan_that_lifts_it: 'early' },
    });
    await ageSubscription(stage().node, ctx, { periods: 1 });
    await stage().node.owner(`update netra.run set created_at = created_at - interval '2 months' where org_id = $1`, [
      ctx.principal.org_id,
    ]);
    expect(await ask(ctx)).toMatchObject({ run: expect.any(String) });
  });

  it('credits-3 refuses a run that cannot be paid, and names what is missing', async () => {
    const ctx = await stage().onPlan('free');
    await placeHold({ ctx, input: { amount_micro: 91n * credit, reason: 'other', key: 'other' } });
    const refused = await nothingWritten(ctx, () => ask(ctx));
    expect(refused).toMatchObject({
      code: 'insufficient_credits',
      detail: { limit: 'credits', needed_micro: '10000000', balance_micro: '9000000', plan_that_lifts_it: 'early' },
    });
  });

  it.each(planNames)('credits-3 gives a run of the %s plan its seconds, and no more', async (plan) => {
    const ctx = await stage().onPlan(plan);
    const { run } = await ask(ctx);
    const text = 'select seconds_max from netra.run where org_id = $1 and run_id = $2';
    expect(await stage().node.owner(text, [ctx.principal.org_id, run])).toEqual([{ seconds_max: plans[plan].seconds }]);
  });

  // Planted bug that turns it red: a key without the organisation, or `max` read from another plan.
  it('credits-3 counts requests of an hour, refuses the one too many, and follows an upgrade at once', async () => {
    const [ctx, neighbour] = [await stage().onPlan('free'), await stage().onPlan('free')];
    // Hours are those of the clock.
    const midHour = (): boolean => Date.now() % 3_600_000 < 3_580_000;
    await eventually('an hour that is not about to end', midHour, { deadline_ms: 21_000 });
    const answers = await Promise.allSettled(Array.from({ length: 130 }, () => checkRequestRate({ ctx })));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    const refused = await refusal(checkRequestRate({ ctx }));
    expect(refused).toMatchObject({
      code: 'rate_limited',
      status: 429,
      detail: { limit: 'requests_hour', used: '100', max: '100', plan_that_lifts_it: 'early' },
    });
    expect(Number(refused.detail['resets_in_ms'])).toBeGreaterThan(0);
    expect(await checkRequestRate({ ctx: neighbour })).toMatchObject({ max: 100, remaining: 99 });
    await changePlan({ ctx, input: { plan: 'early' } });
    expect(await checkRequestRate({ ctx })).toMatchObject({ max: 1000, remaining: 899 });
    await changePlan({ ctx, input: { plan: 'enterprise' } });
    expect(await checkRequestRate({ ctx })).toMatchObject({ max: null });
  });

  it('credits-3 refuses a feature that the plan lacks, and names the plan that has it', async () => {
    const ctx = await stage().onPlan('free');
    const refused = await refusal(requireFeature({ ctx, input: { feature: 'ledger_export' } }));
    expect(refused).toMatchObject({
      code: 'plan_limit',
      status: 403,
      detail: { limit: 'features', plan_that_lifts_it: 'early' },
    });
    await requireFeature({ ctx, input: { feature: 'usage_import' } });
    await changePlan({ ctx, input: { plan: 'early' } });
    expect(await requireFeature({ ctx, input: { feature: 'ledger_export' } })).toBeUndefined();
  });
}
