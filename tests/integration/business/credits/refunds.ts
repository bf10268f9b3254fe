import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import {
  captureHold,
  checkBooks,
  expireGrants,
  grantCredits,
  listTransfers,
  listWallets,
  moveCredits,
  openWallet,
  placeHold,
  readBalance,
  refundHold,
  settleHold,
} from '../../../../server/ledger/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { credit } from '../../ledger-node.ts';
import { balance, refusal, type Stage } from './stage.ts';

/** credits-2, what happens to credits after they were charged, or beyond those there are. */
export function refunds(stage: () => Stage): void {
  const charge = async (
    ctx: Ctx,
    held: bigint,
    spent: bigint,
    beyond: 'plan' | 'observe' = 'plan',
  ): Promise<string> => {
    const key = randomUUID();
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: held, reason: 'fee', key, beyond } });
    await settleHold({ ctx, input: { hold_id, capture_micro: spent, reason: 'run', key, beyond } });
    return hold_id;
  };
  const give = (ctx: Ctx, amount_micro: bigint, source: 'purchase' | 'promotion', key: string) =>
    grantCredits({ ctx, input: { amount_micro, source, reason: key, key } });
  const remaining = async (ctx: Ctx): Promise<Record<string, bigint>> => {
    const text = `select reason, remaining_micro::text as rest from netra.credit_grant where org_id = $1`;
    const rows = await stage().node.owner<{ reason: string; rest: string }>(text, [ctx.principal.org_id]);
    return Object.fromEntries(rows.map(({ reason, rest }) => [reason, BigInt(rest)]));
  };
  const balanced = async (): Promise<void> => expect(await checkBooks({ platform: stage().node.platform })).toEqual([]);

  // Planted bug that turns it red: refund_receipt() in burn order (`order by r.ordinal` without desc).
  it('credits-2 refunds to the grants of the hold’s own receipt, last spent first', async () => {
    const ctx = await stage().node.newOrg();
    await give(ctx, 10n, 'promotion', 'first');
    await give(ctx, 20n, 'purchase', 'second');
    const hold_id = await charge(ctx, 25n, 25n);
    // Would be burnt first now: a refund by burn order would land here.
    await give(ctx, 50n, 'promotion', 'later');
    expect(await refundHold({ ctx, input: { hold_id, amount_micro: 18n, reason: 'sorry', key: 'r1' } })).toEqual({
      refunded_micro: 18n,
      balance_micro: 73n,
    });
    expect(await remaining(ctx)).toEqual({ first: 3n, second: 20n, later: 50n });
    const [last] = (await listTransfers({ ctx, input: { limit: 1 } })).items;
    expect(last).toMatchObject({ kind: 'refund', amount_micro: 18n, spent_micro: -18n, reason: 'sorry' });
    await balanced();
  });

  // Planted bugs that turn it red: refund_hold() without the look at the hold's state; without refunded_micro in max.
  it('credits-2 refunds no hold that is not there, is active, or was refunded already: nothing is minted', async () => {
    const ctx = await stage().node.newOrg(1n);
    const stranger = await charge(await stage().node.newOrg(1n), 5n, 5n);
    const refund = (hold_id: string, amount_micro: bigint, key: string) =>
      refundHold({ ctx, input: { hold_id, amount_micro, reason: 'sorry', key } });
    expect((await refusal(refund(randomUUID(), 1n, 'a'))).code).toBe('not_found');
    expect((await refusal(refund(stranger, 1n, 'b'))).code).toBe('not_found');
    const { hold_id: open } = await placeHold({ ctx, input: { amount_micro: 9n, reason: 'fee', key: 'open' } });
    await captureHold({ ctx, input: { hold_id: open, amount_micro: 5n, reason: 'call', key: 'open' } });
    expect((await refusal(refund(open, 1n, 'c'))).code).toBe('conflict');
    const hold_id = await charge(ctx, 10n, 7n);
    expect(await refusal(refund(hold_id, 8n, 'd'))).toMatchObject({ code: 'conflict', detail: { max: '7' } });
    const first = await refund(hold_id, 4n, 'e');
    expect(await refund(hold_id, 4n, 'e'), 'the same key again').toEqual(first);
    expect((await refusal(refund(hold_id, 3n, 'e'))).code).toBe('idempotency_key_reused');
    expect((await refusal(refund(hold_id, 4n, 'f'))).code).toBe('conflict');
    // Twenty at once for what is left: one gets it.
    const many = Array.from({ length: 20 }, (_, place) => refund(hold_id, 3n, `many/${place}`));
    const results = await Promise.allSettled(many);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await balance(ctx)).toBe(credit - 9n);
    await balanced();
  });

  it('credits-2 lets what a refund brings back to an ended grant expire at the next booking', async () => {
    const ctx = await stage().node.newOrg();
    await give(ctx, 10n, 'promotion', 'ends');
    const hold_id = await charge(ctx, 10n, 10n);
    const past = `update netra.credit_grant set expires_at = now() - interval '1 second' where org_id = $1`;
    await stage().node.owner(past, [ctx.principal.org_id]);
    await refundHold({ ctx, input: { hold_id, amount_micro: 6n, reason: 'sorry', key: 'r' } });
    expect(await balance(ctx), 'it cannot be spent').toBe(0n);
    expect(await expireGrants({ ctx, input: {} })).toEqual({ expired_micro: 6n });
    expect(await expireGrants({ ctx, input: {} })).toEqual({ expired_micro: 0n });
    await balanced();
  });

  // Planted bug that turns it red: grant_credits() without netra.pay_debtors().
  it('credits-2 writes who paid a debt on the receipts of the runs that made it, oldest first', async () => {
    const ctx = await stage().node.newOrg();
    await give(ctx, 10n, 'purchase', 'start');
    const old = await charge(ctx, 10n, 40n);
    const young = await charge(ctx, 0n, 25n);
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 0n, debt_micro: 55n });
    await give(ctx, 35n, 'purchase', 'pays');
    const text = `select h.hold_id, h.debt_micro::int as debt, array_agg(r.spent_micro::int order by r.ordinal) as parts
      from netra.hold h join netra.hold_grant r using (org_id, hold_id) where h.org_id = $1 group by 1, 2 order by 2`;
    expect(await stage().node.owner(text, [ctx.principal.org_id])).toEqual([
      { hold_id: old, debt: 0, parts: [10, 30] },
      { hold_id: young, debt: 20, parts: [5] },
    ]);
    await balanced();
    // A refund takes what is still owed first: nothing was paid for it.
    await refundHold({ ctx, input: { hold_id: young, amount_micro: 22n, reason: 'sorry', key: 'r' } });
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 2n, debt_micro: 0n });
    await balanced();
  });

  // Planted bug that turns it red: grant_credits() without netra.pay_debtors(). (Without netra.lock_debtors() it stays green:
  // the waits in a ring that come then are broken and tried again.)
  it('credits-2 pays debts while others are made at the same moment, and each ends on a receipt', async () => {
    const ctx = await stage().node.newOrg();
    await give(ctx, 1n, 'purchase', 'start');
    const owe = Array.from({ length: 30 }, () => charge(ctx, 0n, 10n));
    const pay = Array.from({ length: 15 }, (_, place) => give(ctx, 7n, 'purchase', `pay/${place}`));
    await Promise.all([...owe, ...pay]);
    await balanced();
    await give(ctx, 300n, 'purchase', 'all');
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 106n, debt_micro: 0n });
    await balanced();
  });

  // Planted bug that turns it red: draw_line() with a grant of its own each time.
  it('credits-2 draws what is missing beyond the balance as one grant a period, and counts it', async () => {
    const ctx = await stage().node.newOrg();
    await give(ctx, 10n, 'purchase', 'start');
    await charge(ctx, 30n, 25n, 'observe');
    expect(await readBalance({ ctx, input: {} })).toEqual({
      balance_micro: 5n,
      held_micro: 0n,
      debt_micro: 0n,
      overage_micro: 15n,
    });
    await charge(ctx, 1n, 50n, 'observe');
    expect(await readBalance({ ctx, input: {} })).toMatchObject({
      balance_micro: 0n,
      debt_micro: 0n,
      overage_micro: 65n,
    });
    const text = `select source, granted_micro::int as granted, usd_credit from netra.credit_grant
                   where org_id = $1 and source = 'observed'`;
    expect(await stage().node.owner(text, [ctx.principal.org_id])).toEqual([
      { source: 'observed', granted: 65, usd_credit: null },
    ]);
    await balanced();
  });

  it('credits-2 moves credits to a team’s wallet with their terms, back as well, and never more than there are', async () => {
    const ctx = await stage().node.newOrg();
    await give(ctx, 10n, 'promotion', 'gift');
    await give(ctx, 100n, 'purchase', 'pack');
    await openWallet({ ctx, input: { wallet: 1, name: 'team' } });
    await openWallet({ ctx, input: { wallet: 1, name: 'team' } });
    expect((await refusal(openWallet({ ctx, input: { wallet: 1, name: 'other' } }))).code).toBe('conflict');
    const nobody: Ctx = { ...ctx, principal: { ...ctx.principal, org_id: randomUUID() } };
    expect((await refusal(openWallet({ ctx: nobody, input: { wallet: 1, name: 'team' } }))).code).toBe('not_found');
    const move = (from: number, to: number, amount_micro: bigint, key: string) =>
      moveCredits({ ctx, input: { from, to, amount_micro, reason: 'budget', key } });
    expect(await move(0, 1, 30n, 'm')).toEqual({ from_balance_micro: 80n, to_balance_micro: 30n });
    expect(await move(0, 1, 30n, 'm')).toEqual({ from_balance_micro: 80n, to_balance_micro: 30n });
    expect((await refusal(move(1, 0, 30n, 'm'))).code).toBe('idempotency_key_reused');
    expect(await refusal(move(1, 0, 31n, 'n'))).toMatchObject({
      code: 'insufficient_credits',
      detail: { balance_micro: '30', needed_micro: '31' },
    });
    expect((await refusal(move(0, 7, 1n, 'o'))).code).toBe('not_found');
    const text = `select priority, remaining_micro::int as rest from netra.credit_grant where org_id = $1 and wallet_id = 1
                   order by priority`;
    expect(await stage().node.owner(text, [ctx.principal.org_id])).toEqual([
      { priority: 10, rest: 10 },
      { priority: 30, rest: 20 },
    ]);
    // In opposite directions at once: none waits for the other for ever, and nothing is lost on the way.
    await Promise.all(Array.from({ length: 20 }, (_, place) => move(place % 2, (place + 1) % 2, 3n, `ring/${place}`)));
    const wallets = await listWallets({ ctx, input: {} });
    expect(wallets.map(({ wallet, name, balance_micro }) => ({ wallet, name, balance_micro }))).toEqual([
      { wallet: 0, name: null, balance_micro: 80n },
      { wallet: 1, name: 'team', balance_micro: 30n },
    ]);
    await balanced();
  });

  // Planted bug that turns it red: a link() that leaves out the reason; a movement that links to a stale head.
  it('credits-2 chains every transfer to the one before, under concurrency as well', async () => {
    const ctx = await stage().node.newOrg(1n);
    await Promise.all(Array.from({ length: 20 }, (_, place) => charge(ctx, 10n, BigInt(place % 10))));
    const org = [ctx.principal.org_id];
    const broken = `select count(*)::int as broken from (
      select t.hash = netra.link(t.org_id, t.wallet_id, lag(t.hash) over past, t.version, t.at, t.kind, t.key,
               t.requested_micro, t.reason, t.agent, t.run_id, t.hold_id, t.grant_id, t.user_id, t.model,
               t.available_micro, t.held_micro, t.debt_micro, t.issued_micro, t.spent_micro, t.expired_micro,
               t.moved_micro) as holds
        from netra.transfer t where t.org_id = $1 window past as (order by t.version)) l where not holds`;
    expect(await stage().node.owner(broken, org)).toEqual([{ broken: 0 }]);
    const head = `select w.head = t.hash as same, w.version::int as version from netra.wallet w
      join netra.transfer t using (org_id, wallet_id, version) where w.org_id = $1`;
    expect(await stage().node.owner(head, org)).toEqual([{ same: true, version: 41 }]);
    const forged = `begin; alter table netra.transfer disable trigger immutable;
      update netra.transfer set reason = 'forged' where org_id = '${ctx.principal.org_id}' and version = 7;
      alter table netra.transfer enable trigger immutable; commit`;
    await stage().node.owner(forged);
    expect(await stage().node.owner(broken, org), 'one edited row is one broken link').toEqual([{ broken: 1 }]);
    await stage().node.owner(forged.replace("'forged'", "'fee'"));
  });
}
