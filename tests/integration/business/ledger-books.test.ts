/**
 * Segment: every customer.
 * Goal: whatever happens in whatever order, the ledger does what its rules say, to the micro-credit.
 * Value: a balance is never wrong, and each figure on a bill can be replayed from the movements behind it.
 * Strategic impact: credits are money; a ledger that drifts cannot be sold from.
 */
import { randomUUID } from 'node:crypto';
import { NetraError } from '@netra/contract';
import { suite } from '@netra/testkit';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { admitRun } from '../../../server/agents/index.ts';
import {
  captureHold,
  checkBooks,
  expireGrants,
  extendHold,
  grantCredits,
  placeHold,
  readBalance,
  settleHold,
} from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { LedgerModel, type ModelHold } from './ledger-model.ts';

const amount = fc.bigInt({ min: 0n, max: 120n });
const pick = fc.nat(7);
const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constant('grant' as const),
      amount: fc.bigInt({ min: 1n, max: 150n }),
      priority: fc.constantFrom(10, 20, 30),
      expires_in_days: fc.constantFrom(5, 30, Number.POSITIVE_INFINITY),
      source: fc.constantFrom('purchase', 'promotion', 'adjustment'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ verb: fc.constant('place' as const), amount }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constantFrom('extend', 'capture'), amount, pick }) },
  { weight: 4, arbitrary: fc.record({ verb: fc.constant('settle' as const), amount, pick }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('end' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('book' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A wallet comes with the first credits. */
const opening: Step = { verb: 'grant', amount: 100n, priority: 20, expires_in_days: 30, source: 'adjustment' };

/** A sequence played on the ledger and on the model at once. */
class Play {
  readonly model = new LedgerModel();
  readonly grant_ids: string[] = [];
  readonly hold_ids = new Map<ModelHold, string>();
  readonly #node: LedgerNode;
  readonly #ctx: Ctx;
  #count = 0;

  constructor(node: LedgerNode, ctx: Ctx) {
    this.#node = node;
    this.#ctx = ctx;
  }

  async take(step: Step): Promise<void> {
    this.#count += 1;
    if (step.verb === 'grant') return this.#grant(step);
    if (step.verb === 'place') return this.#place(step.amount);
    if (step.verb === 'book') return this.#book();
    if (step.verb === 'end') return this.#end(step.pick);
    return this.#move(step);
  }

  async #grant(step: Extract<Step, { verb: 'grant' }>): Promise<void> {
    const forever = step.expires_in_days === Number.POSITIVE_INFINITY;
    const input = {
      amount_micro: step.amount,
      source: step.source,
      priority: step.priority,
      // Whole days from a fixed morning: equal terms are equal to the microsecond.
      expires_at: forever ? null : new Date(Date.UTC(2100, 0, step.expires_in_days)),
      reason: 'property',
      key: `${this.#count}`,
    } as const;
    this.model.grant(step.amount, step.priority, step.expires_in_days, step.source === 'purchase');
    const given = await grantCredits({ ctx: this.#ctx, input });
    expect(given).toMatchObject({ granted_micro: step.amount, balance_micro: this.model.available });
    expect(await grantCredits({ ctx: this.#ctx, input })).toEqual({ ...given, granted_micro: 0n });
    this.grant_ids.push(given.grant_id);
  }

  async #place(amount_micro: bigint): Promise<void> {
    const input = { amount_micro, reason: 'fee', agent: 'rehearsal', key: `${this.#count}` };
    const placed = await outcome(placeHold({ ctx: this.#ctx, input }));
    const hold = this.model.place(amount_micro);
    if (typeof hold === 'string') return expect(placed).toBe(hold);
    expect(placed).toMatchObject({ balance_micro: this.model.available });
    if (typeof placed !== 'object') throw new Error('unreachable');
    this.hold_ids.set(hold, placed.hold_id);
    expect(await placeHold({ ctx: this.#ctx, input }), 'the same key again').toEqual(placed);
    const other = { ...input, amount_micro: amount_micro + 1n };
    expect(await outcome(placeHold({ ctx: this.#ctx, input: other }))).toBe('idempotency_key_reused');
  }

  async #move(step: Extract<Step, { verb: 'extend' | 'capture' | 'settle' }>): Promise<void> {
    const hold = this.model.holds[step.pick % Math.max(1, this.model.holds.length)];
    if (hold === undefined) return;
    const move = (by: bigint): Promise<unknown> => outcome(this.#call(step.verb, hold, by));
    const first = await move(step.amount);
    const refusal = this.model[step.verb](hold, step.amount);
    if (refusal !== null) return expect(first).toBe(refusal);
    expect(first).toMatchObject({
      balance_micro: this.model.available,
      ...(step.verb === 'extend' ? {} : { held_micro: hold.held, spent_micro: hold.spent }),
      ...(step.verb === 'settle' ? { released_micro: hold.released } : {}),
    });
    expect(await move(step.amount), 'the same key again').toEqual(first);
    expect(await move(step.amount + 1n)).toBe('idempotency_key_reused');
  }

  #call(verb: 'extend' | 'capture' | 'settle', hold: ModelHold, by: bigint): Promise<object> {
    const [ctx, hold_id, key] = [this.#ctx, this.hold_ids.get(hold) ?? randomUUID(), `${this.#count}`];
    if (verb === 'extend') return extendHold({ ctx, input: { hold_id, by_micro: by, key } });
    if (verb === 'capture') return captureHold({ ctx, input: { hold_id, amount_micro: by, reason: 'model', key } });
    return settleHold({ ctx, input: { hold_id, capture_micro: by, reason: 'run', key } });
  }

  async #end(picked: number): Promise<void> {
    const place = picked % Math.max(1, this.model.grants.length);
    const grant = this.model.grants[place];
    if (grant === undefined) return;
    grant.ended = true;
    const text = `update netra.credit_grant set expires_at = now() - interval '1 second' where grant_id = $1`;
    await this.#node.owner(text, [this.grant_ids[place]]);
  }

  async #book(): Promise<void> {
    const booked = this.model.bookExpired();
    expect(await expireGrants({ ctx: this.#ctx, input: {} })).toEqual({ expired_micro: booked });
  }

  async compare(): Promise<void> {
    const { org_id } = this.#ctx.principal;
    const { model } = this;
    expect(await readBalance({ ctx: this.#ctx, input: {} })).toEqual({
      balance_micro: model.usable,
      held_micro: model.held,
      debt_micro: model.debt,
      overage_micro: 0n,
    });
    const text = `select grant_id, spent_micro, held_micro, remaining_micro, expired_micro from netra.credit_grant`;
    const rows = await this.#ctx.platform.postgres.inOrg(org_id, (tx) =>
      tx.rows<{ grant_id: string }>({ text, values: [] }),
    );
    const found = new Map(rows.map(({ grant_id, ...rest }) => [grant_id, rest]));
    for (const [place, { spent, held, remaining, expired }] of model.grants.entries()) {
      expect(found.get(this.grant_ids[place] ?? ''), `grant ${place}`).toEqual({
        spent_micro: spent,
        held_micro: held,
        remaining_micro: remaining,
        expired_micro: expired,
      });
    }
  }
}

/** The answer, or the code of the refusal. */
async function outcome<T>(call: Promise<T>): Promise<T | string> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof NetraError) return error.code;
    throw error;
  }
}

describe('the ledger against an exact model', () => {
  const home = suite();
  let node: LedgerNode;
  beforeAll(async () => {
    node = await openLedger(home);
  });

  // Planted bugs that turn it red: burn order without expiry; a release to the first grant instead of the receipt's;
  // an overage that is dropped; a settlement that does not look for its key; a grant that forgets the debt.
  it('M1 M2 M3 hold, and every answer is the model’s, in random sequences of movements', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const play = new Play(node, await node.newOrg());
        for (const each of [opening, ...steps]) await play.take(each);
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
