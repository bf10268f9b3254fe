/**
 * Segment: customers who are given credits beyond their plan: promotions, goodwill, bought by the year.
 * Goal: each occurrence is given once, on its day, and takes nothing else away.
 * Value: a promotion costs what was planned, and a bought pack is never overwritten by a free one.
 * Strategic impact: credits minted twice are money given away; credits wiped by a reset are a refund and a bad name.
 */
import { randomUUID } from 'node:crypto';
import { suite } from '@netra/testkit';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkBooks, grantCredits, placeHold, readBalance, settleHold } from '../../../server/ledger/index.ts';
import {
  grantDuePeriods,
  listGrantSchedules,
  planOf,
  scheduleGrant,
  stopGrantSchedule,
  subscribe,
  type ScheduleGrantInput,
} from '../../../server/plans/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';
import { ageSchedules } from './age-schedules.ts';
import { refusal } from './credits/stage.ts';

const home = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(home);
});

const balance = async (ctx: Ctx): Promise<bigint> => (await readBalance({ ctx, input: {} })).balance_micro / credit;
const daily = { unit: 'day', count: 1 } as const;

/** A schedule of 100 credits, unless told otherwise. */
function schedule(ctx: Ctx, terms: Partial<ScheduleGrantInput> = {}): Promise<{ readonly schedule_id: string }> {
  const { platform } = node;
  const usual = { amount_micro: 100n * credit, source: 'promotion', reason: 'spring', by: 'ada' } as const;
  return scheduleGrant({ platform, input: { ...usual, org: ctx.principal.org_id, key: randomUUID(), ...terms } });
}

const age = (ctx: Ctx, days: number): Promise<void> => ageSchedules(node, ctx, days);

const due = (): Promise<number> => grantDuePeriods({ platform: node.platform, limit: 100 });
async function occurrences({ principal: { org_id } }: Ctx): Promise<readonly number[]> {
  const text = 'select occurrence from netra.scheduled_grant where org_id = $1 order by at, occurrence';
  return (await node.owner<{ occurrence: number }>(text, [org_id])).map(({ occurrence }) => occurrence);
}
const read = async (ctx: Ctx) => {
  const [first] = await listGrantSchedules({ platform: node.platform, input: { org: ctx.principal.org_id } });
  if (first === undefined) throw new Error('nothing is scheduled');
  return first;
};

describe('credits on a schedule', () => {
  // Planted bug that turns it red: schedule_grant() that does not look for the key.
  it('gives what is due now at once, and once for its key', async () => {
    const ctx = await node.newOrg();
    const terms = { key: 'spring', expires_after: { unit: 'day', count: 30 } } as const;
    const made = await Promise.all(Array.from({ length: 10 }, () => schedule(ctx, terms)));
    expect(new Set(made.map(({ schedule_id }) => schedule_id)).size).toBe(1);
    expect(await balance(ctx)).toBe(100n);
    expect((await refusal(schedule(ctx, { ...terms, amount_micro: 1n }))).code).toBe('idempotency_key_reused');
    expect(await read(ctx)).toMatchObject({ given: 1, next_at: null, created_by: 'ada', source: 'promotion' });
    const stranger = { ...ctx, principal: { ...ctx.principal, org_id: randomUUID() } };
    expect((await refusal(schedule(stranger))).code).toBe('not_found');
    for (const wrong of [{ amount_micro: 0n }, { times: 2 }, { cap_micro: 0n }, { first_at: new Date(0) }]) {
      expect((await refusal(schedule(ctx, wrong))).code, Object.keys(wrong).join()).toBe('invalid_request');
    }
  });

  it('gives nothing before its time, and then to whoever looks first', async () => {
    const later = new Date(Date.now() + 5 * 86_400_000);
    const ctx = await node.newOrg();
    await subscribe({ ctx, input: { plan: 'free' } });
    await schedule(ctx, { first_at: later });
    await due();
    expect(await balance(ctx)).toBe(100n);
    await age(ctx, 6);
    // No schedule of the server has run: an admission asks for the plan.
    await planOf({ ctx, input: {} });
    expect(await balance(ctx)).toBe(200n);
  });

  // Planted bug that turns it red: give_scheduled() without `for update`, and a random key.
  it('gives each occurrence once, under many nodes, also those of a server that slept', async () => {
    // No subscription, whose row would be locked first.
    const ctx = await node.newOrg();
    await schedule(ctx, { every: daily, times: 5 });
    await age(ctx, 3);
    await Promise.all(Array.from({ length: 12 }, due));
    expect(await occurrences(ctx)).toEqual([0, 1, 2, 3]);
    expect(await balance(ctx)).toBe(400n);
    await age(ctx, 30);
    await due();
    expect(await occurrences(ctx), 'five times, and no more').toEqual([0, 1, 2, 3, 4]);
    expect(await read(ctx)).toMatchObject({ next_at: null, given: 5, skipped: 0 });
  });

  // Planted bug that turns it red: give_scheduled() without `continue when occurrence_end(…) <= now()`.
  it('mints nothing for a time that is over', async () => {
    const ctx = await node.newOrg();
    await schedule(ctx, { every: daily, expires_after: { unit: 'day', count: 2 } });
    await age(ctx, 30);
    await due();
    expect(await occurrences(ctx)).toEqual([0, 29, 30]);
    expect(await balance(ctx)).toBe(200n);
    expect(await read(ctx)).toMatchObject({ given: 3, skipped: 28 });
  });

  it('stops, and leaves what was given', async () => {
    const ctx = await node.newOrg();
    const { schedule_id } = await schedule(ctx, { every: daily });
    const input = { org: ctx.principal.org_id, schedule: schedule_id, by: 'ada' };
    await stopGrantSchedule({ platform: node.platform, input });
    await stopGrantSchedule({ platform: node.platform, input });
    await age(ctx, 10);
    await due();
    expect(await balance(ctx)).toBe(100n);
    const none = { ...input, schedule: randomUUID() };
    expect((await refusal(stopGrantSchedule({ platform: node.platform, input: none }))).code).toBe('not_found');
  });
});

describe('a roll-over cap', () => {
  // Planted bug that turns it red: cap_rollover() over all of the wallet's grants.
  it('resets the daily credits, and never touches a bought pack', async () => {
    const ctx = await node.newOrg();
    await grantCredits({ ctx, input: { amount_micro: 700n * credit, source: 'purchase', reason: 'pack', key: 'p' } });
    await schedule(ctx, { every: daily, cap_micro: 0n });
    for (let day = 0; day < 4; day += 1) {
      expect(await balance(ctx)).toBe(800n);
      await age(ctx, 1);
      await due();
    }
    const text = `select sum(expired_micro)::text as ended from netra.transfer where org_id = $1 and kind = 'expire'`;
    expect(await node.owner(text, [ctx.principal.org_id])).toEqual([{ ended: String(400n * credit) }]);
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: 750n * credit, reason: 'fee', key: 'h' } });
    await settleHold({ ctx, input: { hold_id, capture_micro: 750n * credit, reason: 'run', key: 'h' } });
    await age(ctx, 1);
    await due();
    expect(await balance(ctx), '50 of the pack, and the new day').toBe(150n);
  });

  // Planted bug that turns it red: cap_rollover() that leaves expires_at of a grant that was emptied.
  it('does not let a hold carry the old day’s credits over the reset', async () => {
    const ctx = await node.newOrg();
    await schedule(ctx, { every: daily, cap_micro: 0n });
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: 60n * credit, reason: 'fee', key: 'h' } });
    await age(ctx, 1);
    await due();
    expect(await readBalance({ ctx, input: {} })).toMatchObject({
      balance_micro: 100n * credit,
      held_micro: 60n * credit,
    });
    await settleHold({ ctx, input: { hold_id, capture_micro: 20n * credit, reason: 'run', key: 'h' } });
    expect(await balance(ctx)).toBe(100n);
    await due();
    expect(await balance(ctx)).toBe(100n);
  });

  // Planted bug that turns it red: v_first of give_scheduled() one occurrence later.
  it('leaves the same after a sleep as day by day, without minting what it would end again', async () => {
    const cases = fc.record({ amount: fc.integer({ min: 1, max: 90 }), cap: fc.integer({ min: 0, max: 200 }) });
    await fc.assert(
      fc.asyncProperty(cases, fc.integer({ min: 0, max: 12 }), async ({ amount, cap }, days) => {
        const terms = { amount_micro: BigInt(amount) * credit, cap_micro: BigInt(cap) * credit, every: daily };
        const [watched, asleep] = [await node.newOrg(), await node.newOrg()];
        await schedule(watched, terms);
        await schedule(asleep, terms);
        let left = BigInt(amount);
        for (let day = 0; day < days; day += 1) {
          await age(watched, 1);
          await node.owner('select netra.grant_period($1)', [watched.principal.org_id]);
          left = (left < BigInt(cap) ? left : BigInt(cap)) + BigInt(amount);
          expect(await balance(watched)).toBe(left);
        }
        await age(asleep, days);
        await node.owner('select netra.grant_period($1)', [asleep.principal.org_id]);
        expect(await balance(asleep)).toBe(left);
        expect((await occurrences(asleep)).length).toBeLessThanOrEqual(Math.ceil(cap / amount) + 2);
      }),
      { numRuns: 15 },
    );
  });
});

/** The same rule by hand: the day of the month that it began on, or the last one of a shorter month; UTC. */
function monthsLater(from: Date, months: number): Date {
  const month = from.getUTCMonth() + months;
  const last = new Date(Date.UTC(from.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const at = new Date(from);
  at.setUTCFullYear(from.getUTCFullYear(), month, Math.min(from.getUTCDate(), last));
  return at;
}

describe('the calendar', () => {
  // Planted bug that turns it red: step_from() or period_start_of() without `at time zone 'UTC'`.
  it('counts months from the first day in every time zone, over short months and leap days', async () => {
    const text = `select zone, start, n, netra.step_from(start, 'month', n) as step, netra.period_start_of(start, n) as period,
        netra.step_from(start, 'day', n) as days
      from unnest($1::timestamptz[], $2::int[]) with ordinality as t (start, n, place)
      cross join lateral (select set_config('TimeZone', (array['UTC', 'America/New_York', 'Asia/Kolkata',
        'Pacific/Kiritimati', 'Australia/Lord_Howe'])[1 + place::int % 5], true) as zone) z`;
    const moment = fc.date({
      min: new Date('2023-01-01T00:00:00Z'),
      max: new Date('2029-01-01T00:00:00Z'),
      noInvalidDate: true,
    });
    const fixed = ['2024-01-31T23:59:59Z', '2024-02-29T00:00:00Z', '2026-03-29T00:30:00Z', '2026-10-25T01:30:00Z'];
    const starts = [...fixed.flatMap((at) => Array(20).fill(new Date(at))), ...fc.sample(moment, 300)];
    const counts = starts.map((_, place) => place % 61);
    const rows = await node.owner<{ start: Date; n: number; step: Date; period: Date; days: Date }>(text, [
      starts,
      counts,
    ]);
    expect(rows).toHaveLength(starts.length);
    for (const { start, n, step, period, days } of rows) {
      expect(step.toISOString(), `${start.toISOString()} + ${n} months`).toBe(monthsLater(start, n).toISOString());
      expect(period).toEqual(step);
      expect(days.getTime() - start.getTime()).toBe(n * 86_400_000);
    }
  });

  it('gives monthly credits on the 31st, or the last of the month, and ends them when the next are due', async () => {
    const text = `select netra.occurrence_at(s, n) as due, netra.occurrence_end(s, n) as ends
      from (select (jsonb_populate_record(null::netra.grant_schedule, '{"first_at": "2028-01-31T10:00:00Z",
        "every_unit": "month", "every_count": 1, "expires_unit": "month", "expires_count": 1}')).*) s,
        generate_series(0, 3) n order by n`;
    const rows = await node.owner<{ due: Date; ends: Date }>(text);
    const day = (at: Date): string => at.toISOString().slice(0, 10);
    expect(rows.map((row) => [day(row.due), day(row.ends)])).toEqual([
      ['2028-01-31', '2028-02-29'],
      ['2028-02-29', '2028-03-31'],
      ['2028-03-31', '2028-04-30'],
      ['2028-04-30', '2028-05-31'],
    ]);
  });

  it('M1–M3 hold after all of it', async () => {
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });
});
