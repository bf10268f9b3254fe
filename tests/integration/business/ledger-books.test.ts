/**
 * Segment: every customer.
 * Goal: whatever happens in whatever order, the ledger does what its rules say, to the micro-credit.
 * Value: a balance is never wrong, and each figure on a bill can be replayed from the movements behind it.
 * Strategic impact: credits are money; a ledger that drifts cannot be sold from.
 */
import { suite } from '@netra/testkit';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { admitRun } from '../../../server/agents/index.ts';
import { checkBooks, placeHold, settleHold } from '../../../server/ledger/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { Play, makeLines, step } from './ledger-play.ts';

/** Beyond the balance: nothing, a little, or without limit. */
const line = fc.constantFrom(undefined, undefined, 60n, null);

describe('the ledger against an exact model', () => {
  const home = suite();
  let node: LedgerNode;
  beforeAll(async () => {
    node = await openLedger(home);
    await makeLines(node);
  });

  // Planted bugs that turn it red: burn order without expiry; a release to the first grant instead of the receipt's;
  // an overage that is dropped; a settlement that does not look for its key; a grant that forgets the debt.
  it('M1 M2 M3 hold, and every answer is the model’s, in random sequences of movements', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), line, async (steps, limit) => {
        const play = await Play.open(node, limit);
        for (const each of steps) await play.take(each);
        await play.compare();
      }),
      { numRuns: 200 },
    );
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  }, 180_000);

  it('M1 lets nobody rewrite or unbalance a transfer, not even the owner', async () => {
    const ctx = await node.newOrg(10n);
    const org = [ctx.principal.org_id];
    await expect(node.owner('update netra.transfer set reason = $2 where org_id = $1', [...org, 'x'])).rejects.toThrow(
      /append-only/,
    );
    await expect(node.owner('delete from netra.transfer where org_id = $1', org)).rejects.toThrow(/append-only/);
    const unbalanced = `insert into netra.transfer (org_id, version, kind, key, requested_micro, reason, available_micro,
      issued_micro, available_after_micro, held_after_micro, debt_after_micro)
      values ($1, 99, 'grant', 'k', 5, 'x', 5, -4, 5, 0, 0)`;
    await expect(node.owner(unbalanced, org)).rejects.toThrow(/check constraint/);
    for (const table of ['wallet', 'credit_grant', 'hold', 'transfer']) {
      const text = `update netra.${table} set org_id = org_id`;
      const write = node.platform.postgres.inOrg(ctx.principal.org_id, (tx) => tx.rows({ text, values: [] }));
      await expect(write, `netra_app writes ${table}`).rejects.toThrow(/permission denied/);
    }
  });

  // Planted bug that turns it red: check_books() without the line that the tampering breaks.
  it('M1 M2 M3 breaches are found, each with organisation, what, expected and found', async () => {
    const ctx = await node.newOrg(10n);
    const { org_id } = ctx.principal;
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: 5n, reason: 'fee', key: 'h' } });
    const tamper = async (text: string): Promise<readonly string[]> => {
      await node.owner(text, [org_id]);
      const breaches = await checkBooks({ platform: node.platform });
      return breaches
        .filter((breach) => breach.org_id === org_id)
        .map((breach) => `${breach.invariant} ${breach.what}`);
    };
    expect(await tamper('update netra.wallet set available_micro = available_micro + 1 where org_id = $1')).toEqual([
      'M1 available = sum of its entries',
      'M3 available = remaining of grants',
    ]);
    await node.owner('update netra.wallet set available_micro = available_micro - 1 where org_id = $1', [org_id]);
    expect(await tamper('update netra.hold set held_micro = held_micro + 1 where org_id = $1')).toEqual([
      'M2 held = outstanding of active holds',
    ]);
    await node.owner('update netra.hold set held_micro = held_micro - 1 where org_id = $1', [org_id]);
    const split = 'set granted_micro = granted_micro + 1, remaining_micro = remaining_micro + 1';
    expect(await tamper(`update netra.credit_grant ${split} where org_id = $1`)).toEqual([
      'M3 available = remaining of grants',
      'M3 granted = entries of issued',
    ]);
    const back = 'set granted_micro = granted_micro - 1, remaining_micro = remaining_micro - 1';
    await node.owner(`update netra.credit_grant ${back} where org_id = $1`, [org_id]);
    await settleHold({ ctx, input: { hold_id, capture_micro: 5n, reason: 'run', key: 'h' } });
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });

  it('M2 finds a run that ended and still holds credits', async () => {
    const ctx = await node.newOrg();
    await subscribe({ ctx, input: { plan: 'free' } });
    const { run } = await admitRun({ ctx, input: { agent: 'triage', input: {}, idempotency_key: 'r' } });
    const end = `update netra.run set state = $2, ended_at = now() where org_id = $1`;
    await node.owner(end, [ctx.principal.org_id, 'failed']);
    const breaches = await checkBooks({ platform: node.platform });
    expect(breaches.map(({ what }) => what)).toEqual([`hold of the failed run ${run}`]);
    await node.owner(`update netra.run set state = 'queued', ended_at = null where org_id = $1`, [
      ctx.principal.org_id,
    ]);
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });
});
