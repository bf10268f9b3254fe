/** The ledger's rules once more, as simply as they can be said: in memory, one step at a time, exact. */
export interface ModelGrant {
  /** Grows only for a line, with each draw, and for what came from another wallet. */
  amount: bigint;
  readonly priority: number;
  readonly expires_in_days: number;
  readonly purchased: boolean;
  /** Drawn beyond the balance; null for what was given. */
  readonly line: Line | null;
  /** Came from another wallet; grows with what comes later on the same terms. */
  readonly received: boolean;
  spent: bigint;
  held: bigint;
  remaining: bigint;
  expired: bigint;
  moved: bigint;
  ended: boolean;
}

/** Beyond the balance: billed by the plan's terms, or only counted. */
type Line = 'overage' | 'observed';
export type Beyond = 'plan' | 'observe';

/** What a plan lets the organisation's wallets draw together in this period; a null limit is none. */
export interface ModelLine {
  readonly limit: bigint | null;
  drawn: bigint;
}

export interface ModelReceipt {
  readonly grant: ModelGrant;
  held: bigint;
  spent: bigint;
  refunded: bigint;
}

export interface ModelHold {
  held: bigint;
  spent: bigint;
  released: bigint;
  refunded: bigint;
  /** The part of spent that no grant has paid yet. */
  debt: bigint;
  active: boolean;
  readonly receipt: ModelReceipt[];
}

export type Refusal = 'insufficient_credits' | 'conflict';

/** One wallet. Several wallets of an organisation are several models; `moveTo` is what happens between them. */
export class LedgerModel {
  readonly grants: ModelGrant[] = [];
  readonly holds: ModelHold[] = [];
  /** Null = nothing beyond the balance. */
  readonly #plan: ModelLine | null;

  constructor(plan: ModelLine | null = null) {
    this.#plan = plan;
  }

  /** What the wallet carries: grants that have ended count until that is booked. */
  get available(): bigint {
    return sum(this.grants.map(({ remaining }) => remaining));
  }

  get usable(): bigint {
    return sum(this.grants.filter(({ ended }) => !ended).map(({ remaining }) => remaining));
  }

  get held(): bigint {
    return sum(this.holds.filter(({ active }) => active).map((hold) => hold.held - hold.spent));
  }

  get debt(): bigint {
    return sum(this.holds.map(({ debt }) => debt));
  }

  /** Of the lines, what is spent or held; no sequence outlives their period. */
  get overage(): bigint {
    const lines = this.grants.filter(({ line }) => line !== null);
    return sum(lines.map(({ spent, held }) => spent + held));
  }

  grant(amount: bigint, priority: number, expires_in_days: number, purchased: boolean): void {
    const grant = newGrant({ amount, priority, expires_in_days, purchased });
    this.grants.push(grant);
    // The oldest debt first: the grant goes onto the receipts of the holds that it pays.
    for (const hold of this.holds.filter(({ debt }) => debt > 0n)) {
      const part = min(hold.debt, grant.remaining);
      if (part === 0n) break;
      hold.debt -= part;
      grant.remaining -= part;
      grant.spent += part;
      hold.receipt.push({ grant, held: part, spent: part, refunded: 0n });
    }
  }

  place(amount: bigint, beyond: Beyond = 'plan'): ModelHold | Refusal {
    if (!this.#canTake(amount, beyond)) return 'insufficient_credits';
    const hold: ModelHold = { held: 0n, spent: 0n, released: 0n, refunded: 0n, debt: 0n, active: true, receipt: [] };
    this.holds.push(hold);
    this.#take(hold, amount, beyond);
    return hold;
  }

  extend(hold: ModelHold, by: bigint, beyond: Beyond = 'plan'): Refusal | null {
    if (!hold.active) return 'conflict';
    if (!this.#canTake(by, beyond)) return 'insufficient_credits';
    this.#take(hold, by, beyond);
    return null;
  }

  capture(hold: ModelHold, amount: bigint, beyond: Beyond = 'plan'): Refusal | null {
    if (!hold.active) return 'conflict';
    this.#cover(hold, amount, beyond);
    hold.spent += amount;
    let left = amount;
    for (const part of hold.receipt) {
      const spent = min(left, part.held - part.spent);
      part.spent += spent;
      part.grant.held -= spent;
      part.grant.spent += spent;
      left -= spent;
    }
    return null;
  }

  settle(hold: ModelHold, amount: bigint, beyond: Beyond = 'plan'): Refusal | null {
    const refusal = this.capture(hold, amount, beyond);
    if (refusal !== null) return refusal;
    for (const part of hold.receipt) {
      const back = part.held - part.spent;
      part.grant.held -= back;
      part.grant.remaining += back;
      part.held -= back;
    }
    hold.released = hold.held - hold.spent;
    hold.active = false;
    return null;
  }

  /** What the hold still owes first, then its own grants, last spent first. */
  refund(hold: ModelHold, amount: bigint): Refusal | null {
    if (hold.active || amount > hold.spent - hold.refunded) return 'conflict';
    hold.refunded += amount;
    const owed = min(amount, hold.debt);
    hold.debt -= owed;
    let left = amount - owed;
    for (const part of hold.receipt.toReversed()) {
      const back = min(left, part.spent - part.refunded);
      part.refunded += back;
      part.grant.spent -= back;
      part.grant.remaining += back;
      left -= back;
    }
    if (left > 0n) throw new Error('a receipt of the model is not whole');
    return null;
  }

  /** Credits keep their terms; those of a line stay, and a move pays no debt. */
  moveTo(other: LedgerModel, amount: bigint): Refusal | null {
    const movable = this.#burnable().filter(({ line }) => line === null);
    if (sum(movable.map(({ remaining }) => remaining)) < amount) return 'insufficient_credits';
    let left = amount;
    for (const grant of movable) {
      const part = min(left, grant.remaining);
      if (part === 0n) continue;
      grant.remaining -= part;
      grant.moved += part;
      left -= part;
      other.#receive(grant, part);
    }
    return null;
  }

  /** Onto what ever came on the same terms, or as a grant of its own. */
  #receive(terms: Terms, amount: bigint): void {
    const known = this.grants.find(
      (grant) => grant.received && grant.priority === terms.priority && grant.expires_in_days === terms.expires_in_days,
    );
    if (known === undefined) {
      this.grants.push(newGrant({ ...terms, amount, purchased: false, received: true }));
      return;
    }
    known.amount += amount;
    known.remaining += amount;
  }

  bookExpired(): bigint {
    let booked = 0n;
    for (const grant of this.grants.filter(({ ended }) => ended)) {
      booked += grant.remaining;
      grant.expired += grant.remaining;
      grant.remaining = 0n;
    }
    return booked;
  }

  /** What of a line is still to draw; null = as much as is asked for. */
  #drawable(beyond: Beyond): bigint | null {
    if (beyond === 'observe') return null;
    if (this.#plan === null) return 0n;
    return this.#plan.limit === null ? null : max(0n, this.#plan.limit - this.#plan.drawn);
  }

  #canTake(amount: bigint, beyond: Beyond): boolean {
    const drawable = this.#drawable(beyond);
    return drawable === null || amount <= this.usable + drawable;
  }

  /** Draws what is missing as far as the line goes, as one grant a period; answers what was drawn. */
  #draw(missing: bigint, beyond: Beyond): bigint {
    const drawn = missing <= 0n ? 0n : min(missing, this.#drawable(beyond) ?? missing);
    if (drawn === 0n) return 0n;
    const line = beyond === 'observe' ? 'observed' : 'overage';
    let grant = this.grants.find((other) => other.line === line);
    if (grant === undefined) {
      // The observed period is a month, and ends before the plan's in these sequences.
      const terms = { amount: 0n, priority: 90, expires_in_days: line === 'observed' ? 1 : 2, purchased: false };
      grant = newGrant({ ...terms, line });
      this.grants.push(grant);
    }
    grant.amount += drawn;
    grant.remaining += drawn;
    if (line === 'overage' && this.#plan !== null) this.#plan.drawn += drawn;
    return drawn;
  }

  /** What is there first, then the line; what neither has is a debt. */
  #cover(hold: ModelHold, amount: bigint, beyond: Beyond): void {
    const over = amount - (hold.held - hold.spent);
    if (over <= 0n) return;
    const missing = this.#burn(hold, over);
    hold.debt += missing - this.#draw(missing, beyond);
    this.#burn(hold, missing);
    hold.held += over;
  }

  /** The line gives what the wallet lacks; then also what it still counted of grants that have ended. */
  #take(hold: ModelHold, amount: bigint, beyond: Beyond): void {
    this.#draw(amount - this.available, beyond);
    const missing = this.#burn(hold, amount);
    this.#draw(missing, beyond);
    this.#burn(hold, missing);
    hold.held += amount;
  }

  /** Onto the hold's receipt in burn order, as far as there is; answers what is missing. */
  #burn(hold: ModelHold, amount: bigint): bigint {
    let left = amount;
    for (const grant of this.#burnable()) {
      const part = min(left, grant.remaining);
      if (part === 0n) continue;
      grant.remaining -= part;
      grant.held += part;
      left -= part;
      const known = hold.receipt.find((other) => other.grant === grant);
      if (known === undefined) hold.receipt.push({ grant, held: part, spent: 0n, refunded: 0n });
      else known.held += part;
    }
    return left;
  }

  #burnable(): ModelGrant[] {
    return this.grants.filter(({ ended }) => !ended).toSorted(burnOrder);
  }
}

type Terms = Pick<ModelGrant, 'amount' | 'priority' | 'expires_in_days' | 'purchased'> &
  Partial<Pick<ModelGrant, 'line' | 'received'>>;

function newGrant({ amount, priority, expires_in_days, purchased, line = null, received = false }: Terms): ModelGrant {
  const nothingYet = { spent: 0n, held: 0n, expired: 0n, moved: 0n, ended: false };
  return { amount, priority, expires_in_days, purchased, line, received, remaining: amount, ...nothingYet };
}

/** Priority, then the soonest expiry; the sort is stable, so the oldest of what is left. */
function burnOrder(one: ModelGrant, other: ModelGrant): number {
  return one.priority - other.priority || one.expires_in_days - other.expires_in_days;
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);
const min = (one: bigint, other: bigint): bigint => (one < other ? one : other);
const max = (one: bigint, other: bigint): bigint => (one > other ? one : other);
