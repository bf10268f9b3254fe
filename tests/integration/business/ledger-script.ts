import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Answer, Call, Kept } from './ledger-driver.ts';
import { LedgerModel, type ModelGrant, type ModelHold, type ModelLine } from './ledger-model.ts';
import { step, type Step } from './ledger-play.ts';

const pick = fc.nat(20);

/** More than most wallets have: debts, and holds that owe beside each other. */
const overrun = fc.record({
  verb: fc.constantFrom('capture' as const, 'settle' as const),
  amount: fc.bigInt({ min: 100n, max: 300n }),
  pick: fc.nat(7),
  beyond: fc.constant('plan' as const),
});

/** A step, or one that was taken before: the same request again, or its key with another amount. */
export const move = fc.oneof(
  { weight: 7, arbitrary: step },
  { weight: 1, arbitrary: overrun },
  { weight: 1, arbitrary: fc.record({ verb: fc.constantFrom('again', 'other'), pick }) },
);
export type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

/** What an answer must say, once all answers are known; null = anything that is no refusal. */
type Wanted = (answers: readonly Answer[]) => Answer;

interface Taken {
  /** Where its answer stands. */
  readonly place: number;
  readonly call: Call;
  /** What of its answer is of the moment of asking, not of the first time. */
  readonly now: () => Readonly<Record<string, number>>;
}

type Of<Verb extends Step['verb']> = Extract<Step, { verb: Verb }>;

/**
 * A sequence played on the model: the calls that the ledger is to be sent, and all that it must answer and keep. Ids
 * are made here, so that the whole sequence is known before the ledger has seen any of it.
 */
export class Script {
  readonly org_id = randomUUID();
  readonly calls: Call[] = [];
  readonly #wanted: Wanted[] = [];
  readonly #wallets: readonly [LedgerModel, LedgerModel];
  readonly #grant_ids: string[] = [];
  readonly #holds: { readonly hold: ModelHold; readonly id: string; readonly wallet: 0 | 1 }[] = [];
  readonly #taken: Taken[] = [];

  /** `limit`: what may be drawn beyond the balance; undefined = nothing, null = without limit. */
  constructor(moves: readonly Move[], limit: bigint | null | undefined) {
    const plan: ModelLine | null = limit === undefined ? null : { limit, drawn: 0n };
    this.#wallets = [new LedgerModel(plan), new LedgerModel(plan)];
    this.#send(limit === undefined ? ['open'] : ['open', limit === null ? 'unlimited' : Number(limit)], {});
    this.#grant({ verb: 'grant', amount: 100n, priority: 20, expires_in_days: 30, source: 'adjustment' });
    this.#send(['wallet'], {});
    for (const each of moves) this.#take(each);
  }

  /** The first difference between what the ledger did and what the model says; null if there is none. */
  difference(answers: readonly Answer[], kept: Kept): string | null {
    for (const [place, wanted] of this.#wanted.entries()) {
      const [due, answer] = [wanted(answers), answers[place]];
      if (!says(answer, due)) {
        return `call ${place} ${JSON.stringify(this.calls[place])}: ${JSON.stringify(answer)}, not ${JSON.stringify(due)}`;
      }
    }
    const [is, due] = [this.#bare(kept), this.#due()];
    for (const part of ['wallets', 'grants', 'holds', 'receipts'] as const) {
      const [found, wanted] = [JSON.stringify(is[part]), JSON.stringify(due[part])];
      if (found !== wanted) return `${part}: ${found}, not ${wanted}`;
    }
    return null;
  }

  #send(call: Call, wanted: Answer | Wanted): void {
    this.calls.push(call);
    this.#wanted.push(typeof wanted === 'function' ? wanted : () => wanted);
  }

  /** Sends a call that can be asked again. */
  #move(call: Call, wanted: Answer, now: Taken['now'] = () => ({})): void {
    if (typeof wanted !== 'string') this.#taken.push({ place: this.calls.length, call, now });
    this.#send(call, wanted);
  }

  get #key(): string {
    return `${this.calls.length}`;
  }

  #take(next: Move): void {
    switch (next.verb) {
      case 'grant':
        return this.#grant(next);
      case 'place':
        return this.#place(next);
      case 'extend':
      case 'capture':
      case 'settle':
        return this.#charge(next);
      case 'refund':
        return this.#refund(next);
      case 'move':
        return this.#moveCredits(next);
      case 'end':
        return this.#end(next.pick);
      case 'book':
        return this.#send(['book'], {
          expired_micro: Number(this.#wallets[0].bookExpired() + this.#wallets[1].bookExpired()),
        });
      case 'again':
      case 'other':
        return this.#repeat(next.verb, next.pick);
    }
  }

  #grant({ amount, priority, expires_in_days, source }: Of<'grant'>): void {
    const [own] = this.#wallets;
    own.grant(amount, priority, expires_in_days, source === 'purchase');
    const id = randomUUID();
    this.#grant_ids[own.grants.length - 1] = id;
    const forever = expires_in_days === Number.POSITIVE_INFINITY;
    const ends = forever ? null : new Date(Date.UTC(2100, 0, expires_in_days)).toISOString();
    const answer = { grant_id: id, granted_micro: Number(amount), balance_micro: Number(own.available) };
    this.#move(['grant', id, Number(amount), source, priority, ends, this.#key], answer, () => ({ granted_micro: 0 }));
  }

  #place({ amount, wallet, beyond }: Of<'place'>): void {
    const id = randomUUID();
    const call: Call = ['place', id, Number(amount), this.#key, wallet, beyond];
    const hold = this.#wallets[wallet].place(amount, beyond);
    if (typeof hold === 'string') return this.#send(call, hold);
    this.#holds.push({ hold, id, wallet });
    this.#move(call, { hold_id: id, ...balance(this.#wallets[wallet]) });
  }

  #charge({ verb, amount, pick: picked, beyond }: Of<'extend' | 'capture' | 'settle'>): void {
    const chosen = this.#chosen(picked);
    if (chosen === undefined) return;
    const { hold, id, wallet } = chosen;
    const call: Call = [verb, id, Number(amount), this.#key, beyond];
    const refusal = this.#wallets[wallet][verb](hold, amount, beyond);
    if (refusal !== null) return this.#send(call, refusal);
    const now = (): Record<string, number> => ({
      ...(verb === 'extend' ? {} : { held_micro: Number(hold.held), spent_micro: Number(hold.spent) }),
      ...(verb === 'settle' ? { released_micro: Number(hold.released) } : {}),
    });
    this.#move(call, { ...now(), ...balance(this.#wallets[wallet]) }, now);
  }

  #refund({ amount, pick: picked }: Of<'refund'>): void {
    const chosen = this.#chosen(picked);
    if (chosen === undefined) return;
    const model = this.#wallets[chosen.wallet];
    const call: Call = ['refund', chosen.id, Number(amount), this.#key];
    const refusal = model.refund(chosen.hold, amount);
    if (refusal !== null) return this.#send(call, refusal);
    this.#move(call, { refunded_micro: Number(amount), balance_micro: Number(model.available) });
  }

  #moveCredits({ amount, wallet }: Of<'move'>): void {
    const [source, target] = [this.#wallets[wallet], this.#wallets[wallet === 0 ? 1 : 0]];
    const call: Call = ['move', wallet, Number(amount), this.#key];
    const refusal = source.moveTo(target, amount);
    if (refusal !== null) return this.#send(call, refusal);
    this.#move(call, {
      from_balance_micro: Number(source.available),
      to_balance_micro: Number(target.available),
    });
  }

  #end(picked: number): void {
    const { grants } = this.#wallets[0];
    const place = picked % grants.length;
    const [grant, id] = [grants[place], this.#grant_ids[place]];
    if (grant === undefined || id === undefined) return;
    grant.ended = true;
    this.#send(['end', id], {});
  }

  /** What was done is answered as it was; the same key for anything else is refused. Neither changes anything. */
  #repeat(verb: 'again' | 'other', picked: number): void {
    const first = this.#taken[picked % this.#taken.length];
    if (first === undefined) return;
    const { call, place } = first;
    if (verb === 'other') {
      const [asked, id, amount, ...rest] = call;
      // A grant's and a hold's id are made anew for each try: they are no part of the request.
      return this.#send([asked, id ?? null, Number(amount) + 1, ...rest], 'idempotency_key_reused');
    }
    const now = first.now();
    this.#send(call, (answers) => {
      const said = answers[place];
      return typeof said === 'object' ? { ...said, ...now } : (said ?? 'nothing');
    });
  }

  #chosen(picked: number): { readonly hold: ModelHold; readonly id: string; readonly wallet: 0 | 1 } | undefined {
    return this.#holds[picked % Math.max(1, this.#holds.length)];
  }

  /** Grants by where they stand, since the ids of moved and drawn ones are the ledger's. */
  #bare(kept: Kept): Kept {
    const places = new Map<unknown, number>();
    const perWallet = [0, 0];
    for (const [id, wallet] of kept.grants) {
      const number = Number(wallet);
      places.set(id, number * 1_000 + (perWallet[number] ?? 0));
      perWallet[number] = (perWallet[number] ?? 0) + 1;
    }
    return {
      ...kept,
      grants: kept.grants.map(([, ...rest]) => rest),
      holds: kept.holds ?? [],
      receipts: (kept.receipts ?? []).map(([hold, grant, ...rest]) => [hold ?? '', places.get(grant) ?? -1, ...rest]),
    };
  }

  #due(): Kept {
    const numbers = (...amounts: readonly bigint[]): number[] => amounts.map(Number);
    const places = new Map<ModelGrant, number>();
    for (const [wallet, { grants }] of this.#wallets.entries()) {
      for (const [place, grant] of grants.entries()) places.set(grant, wallet * 1_000 + place);
    }
    return {
      wallets: this.#wallets.map(({ usable, held, debt, overage }) => numbers(usable, held, debt, overage)),
      grants: this.#wallets.flatMap(({ grants }, wallet) =>
        grants.map(({ amount, spent, held, remaining, expired, moved }) => [
          wallet,
          ...numbers(amount, spent, held, remaining, expired, moved),
        ]),
      ),
      holds: this.#holds.map(({ id, hold }) => [
        id,
        hold.active ? 'active' : 'settled',
        ...numbers(hold.held, hold.spent, hold.released, hold.refunded, hold.debt),
      ]),
      receipts: this.#holds.flatMap(({ id, hold }) =>
        hold.receipt.map(({ grant, held, spent, refunded }) => [
          id,
          places.get(grant) ?? -1,
          ...numbers(held, spent, refunded),
        ]),
      ),
    };
  }
}

/** The balance that an answer names: before what it drew for credits that ended unbooked, so only without those. */
function balance(wallet: LedgerModel): Record<string, number> {
  return wallet.available === wallet.usable ? { balance_micro: Number(wallet.available) } : {};
}

function says(answer: Answer | undefined, due: Answer): boolean {
  if (typeof due === 'string' || typeof answer !== 'object') return answer === due;
  return Object.entries(due).every(([name, value]) => answer[name] === value);
}
