/** The ledger's rules once more, as simply as they can be said: in memory, one step at a time, exact. */
export interface ModelGrant {
  readonly amount: bigint;
  readonly priority: number;
  readonly expires_in_days: number;
  readonly purchased: boolean;
  spent: bigint;
  held: bigint;
  remaining: bigint;
  expired: bigint;
  ended: boolean;
}

interface Receipt {
  readonly grant: ModelGrant;
  held: bigint;
  spent: bigint;
}

export interface ModelHold {
  held: bigint;
  spent: bigint;
  released: bigint;
  active: boolean;
  readonly receipt: Receipt[];
}

export type Refusal = 'insufficient_credits' | 'conflict';

export class LedgerModel {
  readonly grants: ModelGrant[] = [];
  readonly holds: ModelHold[] = [];
  debt = 0n;

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

  grant(amount: bigint, priority: number, expires_in_days: number, purchased: boolean): void {
    const spent = min(amount, this.debt);
    this.debt -= spent;
    const remaining = amount - spent;
    this.grants.push({
      amount,
      priority,
      expires_in_days,
      purchased,
      spent,
      held: 0n,
      remaining,
      expired: 0n,
      ended: false,
    });
  }

  place(amount: bigint): ModelHold | Refusal {
    if (amount > this.usable) return 'insufficient_credits';
    const hold: ModelHold = { held: 0n, spent: 0n, released: 0n, active: true, receipt: [] };
    this.holds.push(hold);
    this.#take(hold, amount);
    return hold;
  }

  extend(hold: ModelHold, by: bigint): Refusal | null {
    if (!hold.active) return 'conflict';
    if (by > this.usable) return 'insufficient_credits';
    this.#take(hold, by);
    return null;
  }

  capture(hold: ModelHold, amount: bigint): Refusal | null {
    if (!hold.active) return 'conflict';
    this.#cover(hold, amount);
    hold.spent += amount;
    let left = amount;
    for (const line of hold.receipt) {
      const part = min(left, line.held - line.spent);
      line.spent += part;
      line.grant.held -= part;
      line.grant.spent += part;
      left -= part;
    }
    return null;
  }

  settle(hold: ModelHold, amount: bigint): Refusal | null {
    const refusal = this.capture(hold, amount);
    if (refusal !== null) return refusal;
    for (const line of hold.receipt) {
      const back = line.held - line.spent;
      line.grant.held -= back;
      line.grant.remaining += back;
      line.held -= back;
    }
    hold.released = hold.held - hold.spent;
    hold.active = false;
    return null;
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

  #cover(hold: ModelHold, amount: bigint): void {
    const over = amount - (hold.held - hold.spent);
    if (over <= 0n) return;
    const taken = min(over, this.usable);
    this.#take(hold, taken);
    hold.held += over - taken;
    this.debt += over - taken;
  }

  #take(hold: ModelHold, amount: bigint): void {
    hold.held += amount;
    let left = amount;
    for (const grant of this.grants.filter(({ ended }) => !ended).toSorted(burnOrder)) {
      const part = min(left, grant.remaining);
      if (part === 0n) continue;
      grant.remaining -= part;
      grant.held += part;
      left -= part;
      const line = hold.receipt.find((other) => other.grant === grant);
      if (line === undefined) hold.receipt.push({ grant, held: part, spent: 0n });
      else line.held += part;
    }
  }
}

/** Priority, then the soonest expiry; the sort is stable, so the oldest of what is left. */
function burnOrder(one: ModelGrant, other: ModelGrant): number {
  return one.priority - other.priority || one.expires_in_days - other.expires_in_days;
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);
const min = (one: bigint, other: bigint): bigint => (one < other ? one : other);
