/**
 * Segment: every customer.
 * Goal: credits that a lost piece of work left reserved come back or are charged, by what provably happened.
 * Value: nobody is locked out by a hold that nothing releases, and work that a provider was paid for is not given away.
 * Strategic impact: a sweeper that guesses loses money in one direction or trust in the other.
 */
import { randomUUID } from 'node:crypto';
import { suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { admitRun } from '../../../server/agents/index.ts';
import { captureHold, checkBooks, placeHold, readBalance } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { sweepHolds } from '../../../server/work/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';

const on = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(on);
});

const past = new Date('2026-01-01T00:00:00Z');

/** A hold, and the state it is in. */
async function stateOf(hold_id: string): Promise<object> {
  const text = 'select state, spent_micro::int as spent, kept_why from netra.hold where hold_id = $1';
  return (await node.owner<object>(text, [hold_id]))[0] ?? {};
}

/** A run that is over by its log, while its hold is still active: what a lost settlement would leave behind. */
async function endedRun(ctx: Ctx, spent_micro: bigint): Promise<{ readonly run: string; readonly hold_id: string }> {
  await subscribe({ ctx, input: { plan: 'free' } });
  const { run } = await admitRun({ ctx, input: { agent: 'triage', input: {}, idempotency_key: randomUUID() } });
  const { org_id } = ctx.principal;
  const credits = { held_micro: '0', spent_micro: `${spent_micro}`, released_micro: '0', balance_micro: '0' };
  const data = { code: 'internal', message: 'lost', credits };
  await node.owner(
    `insert into netra.event (org_id, run_id, seq, at, type, data)
    values ($1, $2, 2, now(), 'agent_failed', $3)`,
    [org_id, run, data],
  );
  const end = `update netra.run set state = 'failed', ended_at = now(), last_seq = 2 where org_id = $1 and run_id = $2`;
  await node.owner(end, [org_id, run]);
  const old = `update netra.hold set created_at = now() - interval '2 hours' where org_id = $1 and run_id = $2
               returning hold_id`;
  const [hold] = await node.owner<{ hold_id: string }>(old, [org_id, run]);
  return { run, hold_id: hold?.hold_id ?? '' };
}

describe('the sweeper', () => {
  const sweep = (): ReturnType<typeof sweepHolds> => sweepHolds({ platform: node.platform });

  // Planted bug that turns it red: a sweeper that releases whatever is old.
  it('M2 settles what the log of an ended run proves, and releases the rest of it', async () => {
    const ctx = await node.newOrg();
    const { hold_id } = await endedRun(ctx, 4n * credit);
    expect(await sweep()).toEqual({ settled: 1, released: 0, kept: 0 });
    expect(await stateOf(hold_id)).toMatchObject({ state: 'settled', spent: 4_000_000 });
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 96n * credit, held_micro: 0n });
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });

  // Planted bugs that turn it red: orphan_holds() that does not look at expires_at; that looks at nothing else.
  it('M2 releases a hold that provably did nothing, once its time is up and not before', async () => {
    const ctx = await node.newOrg(10n);
    const hold = (key: string, expires_at: Date | null): ReturnType<typeof placeHold> =>
      placeHold({ ctx, input: { amount_micro: credit, reason: 'import', key, expires_at } });
    const [due, later, open] = [await hold('a', past), await hold('b', new Date('2100-01-01')), await hold('c', null)];
    const [one, other] = await Promise.all([sweep(), sweep()]);
    expect(one.released + other.released, 'two sweepers at once end it once').toBe(1);
    expect(await stateOf(due.hold_id)).toMatchObject({ state: 'settled', spent: 0 });
    for (const each of [later, open]) expect(await stateOf(each.hold_id)).toMatchObject({ state: 'active' });
    expect(await readBalance({ ctx, input: {} })).toMatchObject({
      balance_micro: 8n * credit,
      held_micro: 2n * credit,
    });
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });

  // Planted bug that turns it red: hold_evidence() that takes a missing run, or a half-charged hold, as nothing done.
  it('M2 keeps what is unclear, says why, counts it, and lets it stand in nobody’s way', async () => {
    const ctx = await node.newOrg(10n);
    const hold = (key: string, run_id: string | null): ReturnType<typeof placeHold> =>
      placeHold({ ctx, input: { amount_micro: credit, reason: 'call', key, run_id, expires_at: past } });
    const [unknown, half] = [await hold('unknown', randomUUID()), await hold('half', null)];
    await captureHold({ ctx, input: { hold_id: half.hold_id, amount_micro: 5n, reason: 'call', key: 'half' } });
    expect(await sweep()).toMatchObject({ released: 0, kept: 2 });
    expect(await stateOf(unknown.hold_id)).toMatchObject({
      state: 'active',
      kept_why: 'its run is not in this database',
    });
    expect(await stateOf(half.hold_id)).toMatchObject({
      state: 'active',
      spent: 5,
      kept_why: 'charged in part, and no run whose log says what came of it',
    });
    expect(await node.platform.metrics.metrics()).toMatch(/^netra_work_holds_kept 2$/m);
    const young = await hold('young', null);
    const order = await node.owner<{ hold_id: string }>(`select hold_id from netra.orphan_holds(3600000, 1)`);
    expect(order, 'what was kept comes last').toEqual([{ hold_id: young.hold_id }]);
    expect(await sweep()).toMatchObject({ released: 1, kept: 2 });
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });

  it('M2 leaves the hold of a living run alone, however old', async () => {
    const ctx = await node.newOrg();
    await subscribe({ ctx, input: { plan: 'free' } });
    await admitRun({ ctx, input: { agent: 'triage', input: {}, idempotency_key: 'living' } });
    const old = `update netra.hold set expires_at = now() - interval '1 hour' where org_id = $1 returning hold_id`;
    const [hold] = await node.owner<{ hold_id: string }>(old, [ctx.principal.org_id]);
    await sweep();
    expect(await stateOf(hold?.hold_id ?? '')).toMatchObject({ state: 'active', kept_why: null });
  });

  it('M2 releases a further hold of an ended run whose log agrees with what was captured', async () => {
    const ctx = await node.newOrg();
    const { run } = await endedRun(ctx, 1n);
    const input = { amount_micro: credit, reason: 'spare', key: 'spare', run_id: run, expires_at: past };
    const { hold_id } = await placeHold({ ctx, input });
    await sweep();
    expect(await stateOf(hold_id)).toMatchObject({ state: 'settled', spent: 0 });
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });
});
