import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import {
  captureHold,
  checkBooks,
  grantCredits,
  listTransfers,
  placeHold,
  readBalance,
  settleHold,
} from '../../../../server/ledger/index.ts';
import { credit } from '../../ledger-node.ts';
import { balance, refusal, type Stage } from './stage.ts';

/** credits-2; call it inside its describe block. */
export function deduction(stage: () => Stage): void {
  it('credits-2 writes each charge as one transfer with reason, agent and run', async () => {
    const ctx = await stage().onPlan('early');
    const run_id = randomUUID();
    const fee = { amount_micro: 50n * credit, reason: 'fee', agent: 'data', run_id, key: 'run/1' };
    const { hold_id } = await placeHold({ ctx, input: fee });
    await captureHold({ ctx, input: { hold_id, amount_micro: 7n, reason: 'model gpt-4o', key: 'call/1' } });
    const settled = await settleHold({
      ctx,
      input: { hold_id, capture_micro: 20n * credit, reason: 'run', key: 'run/1' },
    });
    expect(settled).toEqual({
      held_micro: 50n * credit,
      spent_micro: 20n * credit + 7n,
      released_micro: 30n * credit - 7n,
      balance_micro: 980n * credit - 7n,
    });
    const { items, next } = await listTransfers({ ctx, input: {} });
    const charges = items.filter(({ spent_micro }) => spent_micro > 0n);
    expect(charges.map(({ spent_micro, reason, agent, run }) => ({ spent_micro, reason, agent, run }))).toEqual([
      { spent_micro: 20n * credit, reason: 'run', agent: 'data', run: run_id },
      { spent_micro: 7n, reason: 'model gpt-4o', agent: 'data', run: run_id },
    ]);
    expect(items.reduce((sum, { amount_micro }) => sum + amount_micro, 0n)).toBe(await balance(ctx));
    expect(next).toBeNull();
    const first = await listTransfers({ ctx, input: { limit: 3 } });
    const second = await listTransfers({ ctx, input: { limit: 3, cursor: first.next ?? '' } });
    expect([...first.items, ...second.items]).toEqual(items);
  });

  // Planted bug that turns it red: place_hold() without `available_micro - p_amount_micro >= floor_micro`.
  it('credits-2 refuses an oversize charge and changes nothing', async () => {
    const ctx = await stage().onPlan('free');
    const before = await listTransfers({ ctx, input: {} });
    const refused = await refusal(
      placeHold({ ctx, input: { amount_micro: 100n * credit + 1n, reason: 'fee', key: 'big' } }),
    );
    expect(refused).toMatchObject({
      code: 'insufficient_credits',
      status: 402,
      detail: { needed_micro: '100000001', balance_micro: '100000000', plan_that_lifts_it: 'early' },
    });
    expect(await listTransfers({ ctx, input: {} })).toEqual(before);
    expect(await balance(ctx)).toBe(100n * credit);
    const rest = `select (select count(*) from netra.hold where org_id = $1) + (select count(*) from netra.hold_grant
      where org_id = $1) as rows, (select version from netra.wallet where org_id = $1) as version`;
    expect(await stage().node.owner(rest, [ctx.principal.org_id])).toEqual([{ rows: '0', version: '1' }]);
  });

  // Planted bug that turns it red: no unique (org_id, kind, key) on netra.transfer.
  it('credits-2 charges once for the same key, also when twenty ask at once', async () => {
    const ctx = await stage().onPlan('early');
    const input = { amount_micro: 10n * credit, reason: 'fee', agent: 'triage', key: 'same' };
    const placed = await Promise.all(Array.from({ length: 20 }, () => placeHold({ ctx, input })));
    expect(new Set(placed.map(({ hold_id }) => hold_id)).size).toBe(1);
    const hold_id = placed[0]?.hold_id ?? '';
    const settle = { hold_id, capture_micro: 4n * credit, reason: 'run', key: 'same' };
    const settled = await Promise.all(Array.from({ length: 20 }, () => settleHold({ ctx, input: settle })));
    for (const answer of settled) expect(answer).toEqual(settled[0]);
    expect(await balance(ctx)).toBe(996n * credit);
    expect((await listTransfers({ ctx, input: {} })).items).toHaveLength(3);
  });

  it('credits-2 refuses the same key with another body', async () => {
    const ctx = await stage().onPlan('early');
    const input = { amount_micro: 10n * credit, reason: 'fee', agent: 'triage', key: 'k' };
    const { hold_id } = await placeHold({ ctx, input });
    for (const other of [
      { amount_micro: 11n * credit },
      { reason: 'other' },
      { agent: 'data' },
      { run_id: randomUUID() },
    ]) {
      const code = (await refusal(placeHold({ ctx, input: { ...input, ...other } }))).code;
      expect(code, JSON.stringify(Object.keys(other))).toBe('idempotency_key_reused');
    }
    await settleHold({ ctx, input: { hold_id, capture_micro: 1n, reason: 'run', key: 'k' } });
    const again = { hold_id, capture_micro: 2n, reason: 'run', key: 'k' };
    expect((await refusal(settleHold({ ctx, input: again }))).code).toBe('idempotency_key_reused');
    expect((await refusal(settleHold({ ctx, input: { ...again, key: 'another' } }))).code).toBe('conflict');
    expect(await balance(ctx)).toBe(1_000n * credit - 1n);
  });

  // Planted bug that turns it red: settle_hold() that takes least(p_capture_micro, what is held).
  it('credits-2 never drops what a run cost beyond its hold: it becomes a debt that the next credits pay', async () => {
    const ctx = await stage().onPlan('free');
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: 10n * credit, reason: 'fee', key: 'h' } });
    const input = { hold_id, capture_micro: 130n * credit, reason: 'run', key: 'h' };
    expect(await settleHold({ ctx, input })).toMatchObject({ spent_micro: 130n * credit, balance_micro: 0n });
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 0n, debt_micro: 30n * credit });
    await grantCredits({
      ctx,
      input: { amount_micro: 50n * credit, source: 'purchase', reason: 'pack', key: 'pack' },
    });
    expect(await readBalance({ ctx, input: {} })).toMatchObject({ balance_micro: 20n * credit, debt_micro: 0n });
    expect(await checkBooks({ platform: stage().node.platform })).toEqual([]);
  });

  // Planted bug that turns it red: grow_hold() that reads the hold without a lock, with a key that is new each time.
  it('credits-2 grows a hold for a call once, however many workers ask for it at once', async () => {
    const ctx = await stage().onPlan('early');
    const fee = 10n * credit;
    const { hold_id } = await placeHold({ ctx, input: { amount_micro: fee, reason: 'fee', key: 'h' } });
    const text = `select held_micro::text as held from netra.grow_hold($1, $2, $3, $4)`;
    const grow = () => stage().node.owner<{ held: string }>(text, [ctx.principal.org_id, hold_id, fee, 5n * credit]);
    for (const held of ['15000000', '20000000']) {
      const answers = await Promise.all(Array.from({ length: 12 }, grow));
      expect(answers.map(([row]) => row?.held)).toEqual(answers.map(() => held));
      const call = { hold_id, amount_micro: 5n * credit, reason: 'call', key: held };
      await captureHold({ ctx, input: call });
    }
    expect(await balance(ctx)).toBe(980n * credit);
    expect(await checkBooks({ platform: stage().node.platform })).toEqual([]);
  });
}
