import { NetraError } from '@netra/contract';
import fc from 'fast-check';
import { expect } from 'vitest';
import {
  captureHold,
  expireGrants,
  extendHold,
  grantCredits,
  moveCredits,
  openWallet,
  placeHold,
  readBalance,
  refundHold,
  settleHold,
} from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import type { LedgerNode } from '../ledger-node.ts';
import { LedgerModel, type Beyond, type ModelHold, type ModelLine } from './ledger-model.ts';

const amount = fc.bigInt({ min: 0n, max: 120n });
const pick = fc.nat(7);
/** Mostly the organisation's own wallet, sometimes its second. */
const wallet = fc.constantFrom<Wallet>(0, 0, 0, 1);
const beyond = fc.constantFrom<Beyond>('plan', 'plan', 'plan', 'observe');

type Wallet = 0 | 1;

/** One step of a sequence. A pick names one of the holds or grants that there are by then. */
export const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      verb: fc.constant('grant' as const),
      amount: fc.bigInt({ min: 1n, max: 150n }),
      priority: fc.constantFrom(10, 20, 30),
      expires_in_days: fc.constantFrom(5, 30, Number.POSITIVE_INFINITY),
      source: fc.constantFrom('purchase', 'promotion', 'adjustment'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ verb: fc.constant('place' as const), amount, wallet, beyond }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constantFrom('extend', 'capture'), amount, pick, beyond }) },
  { weight: 6, arbitrary: fc.record({ verb: fc.constant('settle' as const), amount, pick, beyond }) },
  {
    weight: 3,
    arbitrary: fc.record({ verb: fc.constant('refund' as const), amount: fc.bigInt({ min: 1n, max: 80n }), pick }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ verb: fc.constant('move' as const), amount: fc.bigInt({ min: 1n, max: 90n }), wallet }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('end' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('book' as const) }) },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A wallet comes with the first credits. */
const opening: Step = { verb: 'grant', amount: 100n, priority: 20, expires_in_days: 30, source: 'adjustment' };

/**
 * Makes the lines of this suite's database: what an organisation may draw beyond its balance is what `netra.test_line`
 * says. The suite has a database of its own, so nobody else draws by it.
 */
export async function makeLines(node: LedgerNode): Promise<void> {
  await node.owner(`create table netra.test_line (org_id uuid primary key, limit_micro bigint)`);
  await node.owner(`grant select on netra.test_line to netra_ledger, netra_app, netra_system`);
  await node.owner(`create or replace function netra.line_of(p_org uuid)
    returns table (source text, limit_micro bigint, usd_credit numeric, period_start timestamptz,
                   period_end timestamptz)
    language sql stable as $$
      select 'overage', l.limit_micro, 0.02, date_trunc('year', now(), 'UTC'),
             date_trunc('year', now(), 'UTC') + interval '2 years'
        from netra.test_line l where l.org_id = p_org $$`);
}

/** A sequence played on the ledger and on the model at once: every answer is compared. */
export class Play {
  readonly wallets: readonly [LedgerModel, LedgerModel];
  readonly #grant_ids: string[] = [];
  readonly #holds: { readonly hold: ModelHold; readonly id: string; readonly wallet: Wallet }[] = [];
  readonly #node: LedgerNode;
  readonly #ctx: Ctx;
  #count = 0;

  private constructor(node: LedgerNode, ctx: Ctx, plan: ModelLine | null) {
    this.wallets = [new LedgerModel(plan), new LedgerModel(plan)];
    this.#node = node;
    this.#ctx = ctx;
  }

  /** An organisation that may draw `line` beyond its balance (undefined = nothing, null = without limit). */
  static async open(node: LedgerNode, line?: bigint | null): Promise<Play> {
    const ctx = await node.newOrg();
    const play = new Play(node, ctx, line === undefined ? null : { limit: line, drawn: 0n });
    if (line !== undefined) {
      await node.owner('insert into netra.test_line values ($1, $2)', [ctx.principal.org_id, line]);
    }
    await play.take(opening);
    await openWallet({ ctx, input: { wallet: 1, name: 'second' } });
    return play;
  }

  async take(next: Step): Promise<void> {
    this.#count += 1;
    if (next.verb === 'grant') return this.#grant(next);
    if (next.verb === 'place') return this.#place(next);
    if (next.verb === 'book') return this.#book();
    if (next.verb === 'end') return this.#end(next.pick);
    if (next.verb === 'refund') return this.#refund(next);
    if (next.verb === 'move') return this.#move(next);
    return this.#charge(next);
  }

  async #grant(next: Extract<Step, { verb: 'grant' }>): Promise<void> {
    const forever = next.expires_in_days === Number.POSITIVE_INFINITY;
    const input = {
      amount_micro: next.amount,
      source: next.source,
      priority: next.priority,
      // Whole days from a fixed morning: equal terms are equal to the microsecond.
      expires_at: forever ? null : new Date(Date.UTC(2100, 0, next.expires_in_days)),
      reason: 'property',
      key: `${this.#count}`,
    } as const;
    const [own] = this.wallets;
    own.grant(next.amount, next.priority, next.expires_in_days, next.source === 'purchase');
    const given = await grantCredits({ ctx: this.#ctx, input });
    expect(given).toMatchObject({ granted_micro: next.amount, balance_micro: own.available });
    expect(await grantCredits({ ctx: this.#ctx, input })).toEqual({ ...given, granted_micro: 0n });
    this.#grant_ids[own.grants.length - 1] = given.grant_id;
  }

  async #place({ amount: amount_micro, wallet: number, beyond: how }: Extract<Step, { verb: 'place' }>): Promise<void> {
    const where = { wallet: number, beyond: how };
    const input = { amount_micro, reason: 'fee', agent: 'rehearsal', key: `${this.#count}`, ...where };
    const placed = await outcome(placeHold({ ctx: this.#ctx, input }));
    const hold = this.wallets[number].place(amount_micro, how);
    if (typeof hold === 'string') return expect(placed).toBe(hold);
    if (typeof placed !== 'object') return expect(placed).toBe('a hold');
    expect(placed).toMatchObject(after(this.wallets[number]));
    this.#holds.push({ hold, id: placed.hold_id, wallet: number });
    expect(await placeHold({ ctx: this.#ctx, input }), 'the same key again').toEqual(placed);
    for (const other of [{ amount_micro: amount_micro + 1n }, { user_id: 'another' }]) {
      expect(await outcome(placeHold({ ctx: this.#ctx, input: { ...input, ...other } }))).toBe(
        'idempotency_key_reused',
      );
    }
  }

  async #charge(next: Extract<Step, { verb: 'extend' | 'capture' | 'settle' }>): Promise<void> {
    const picked = this.#holds[next.pick % Math.max(1, this.#holds.length)];
    if (picked === undefined) return;
    const { hold, wallet: number } = picked;
    const terms = { beyond: next.beyond };
    const call = (by: bigint): Promise<unknown> => outcome(this.#call(next.verb, picked.id, by, terms));
    const first = await call(next.amount);
    const refusal = this.wallets[number][next.verb](hold, next.amount, next.beyond);
    if (refusal !== null) return expect(first).toBe(refusal);
    expect(first).toMatchObject({
      ...after(this.wallets[number]),
      ...(next.verb === 'extend' ? {} : { held_micro: hold.held, spent_micro: hold.spent }),
      ...(next.verb === 'settle' ? { released_micro: hold.released } : {}),
    });
    expect(await call(next.amount), 'the same key again').toEqual(first);
    expect(await call(next.amount + 1n)).toBe('idempotency_key_reused');
  }

  #call(verb: 'extend' | 'capture' | 'settle', hold_id: string, by: bigint, terms: object): Promise<object> {
    const [ctx, key] = [this.#ctx, `${this.#count}`];
    if (verb === 'extend') return extendHold({ ctx, input: { hold_id, by_micro: by, key, ...terms } });
    if (verb === 'capture')
      return captureHold({ ctx, input: { hold_id, amount_micro: by, reason: 'model', key, ...terms } });
    return settleHold({ ctx, input: { hold_id, capture_micro: by, reason: 'run', key, ...terms } });
  }

  async #refund(next: Extract<Step, { verb: 'refund' }>): Promise<void> {
    const picked = this.#holds[next.pick % Math.max(1, this.#holds.length)];
    if (picked === undefined) return;
    const call = (amount_micro: bigint): Promise<unknown> => {
      const input = { hold_id: picked.id, amount_micro, reason: 'sorry', key: `${this.#count}` };
      return outcome(refundHold({ ctx: this.#ctx, input }));
    };
    const model = this.wallets[picked.wallet];
    const first = await call(next.amount);
    const refusal = model.refund(picked.hold, next.amount);
    if (refusal !== null) return expect(first).toBe(refusal);
    expect(first).toEqual({ refunded_micro: next.amount, balance_micro: model.available });
    expect(await call(next.amount), 'the same key again').toEqual(first);
    expect(await call(next.amount + 1n)).toBe('idempotency_key_reused');
  }

  async #move(next: Extract<Step, { verb: 'move' }>): Promise<void> {
    const [from, to] = next.wallet === 0 ? ([0, 1] as const) : ([1, 0] as const);
    const call = (amount_micro: bigint): Promise<unknown> => {
      const input = { from, to, amount_micro, reason: 'team', key: `${this.#count}` };
      return outcome(moveCredits({ ctx: this.#ctx, input }));
    };
    const [source, target] = [this.wallets[from], this.wallets[to]];
    const first = await call(next.amount);
    const refusal = source.moveTo(target, next.amount);
    if (refusal !== null) return expect(first).toBe(refusal);
    expect(first).toEqual({ from_balance_micro: source.available, to_balance_micro: target.available });
    expect(await call(next.amount), 'the same key again').toEqual(first);
    expect(await call(next.amount + 1n)).toBe('idempotency_key_reused');
  }

  /** A given grant's time is up. */
  async #end(picked: number): Promise<void> {
    const place = picked % this.wallets[0].grants.length;
    const grant = this.wallets[0].grants[place];
    const id = this.#grant_ids[place];
    if (grant === undefined || id === undefined) return;
    grant.ended = true;
    const text = `update netra.credit_grant set expires_at = now() - interval '1 second' where grant_id = $1`;
    await this.#node.owner(text, [id]);
  }

  async #book(): Promise<void> {
    const booked = this.wallets[0].bookExpired() + this.wallets[1].bookExpired();
    expect(await expireGrants({ ctx: this.#ctx, input: {} })).toEqual({ expired_micro: booked });
  }

  async compare(): Promise<void> {
    for (const [number, model] of this.wallets.entries()) {
      expect(await readBalance({ ctx: this.#ctx, input: { wallet: number } }), `wallet ${number}`).toEqual({
        balance_micro: model.usable,
        held_micro: model.held,
        debt_micro: model.debt,
        overage_micro: model.overage,
      });
      const text = `select spent_micro, held_micro, remaining_micro, expired_micro, moved_micro from netra.credit_grant
                     where wallet_id = $1 order by effective_at, grant_id`;
      const rows = await this.#ctx.platform.postgres.inOrg(this.#ctx.principal.org_id, (tx) =>
        tx.rows<Record<string, bigint>>({ text, values: [number] }),
      );
      const due = model.grants.map(({ spent, held, remaining, expired, moved }) => ({
        spent_micro: spent,
        held_micro: held,
        remaining_micro: remaining,
        expired_micro: expired,
        moved_micro: moved,
      }));
      expect(rows, `grants of wallet ${number}, oldest first`).toEqual(due);
    }
  }
}

/** The balance that an answer names: before what it drew for credits that ended unbooked, so only without those. */
function after(wallet: LedgerModel): { readonly balance_micro?: bigint } {
  return wallet.available === wallet.usable ? { balance_micro: wallet.available } : {};
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
