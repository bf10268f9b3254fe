/** What invoices must say, once more and as simply as it can be said: whole numbers of 10⁻¹² dollars, no database. */
const cent = 10_000_000_000n;
const base = 29_999n * cent;
/** $0.015 a credit is 15,000 × 10⁻¹² dollars a micro-credit. */
const priceMicro = 15_000n;

export interface ModelCharge {
  readonly id: string;
  readonly agent: string;
  /** Which period it was placed in: its line is a meter of that period. */
  readonly period: number;
  spent: bigint;
  refunded: bigint;
  active: boolean;
}

export class BillingModel {
  readonly holds: ModelCharge[] = [];
  readonly #billed = new Map<string, bigint>();
  #period = 0;
  /** The rounding account: Σ (exact − rounded), net and tax. */
  kept = 0n;

  /** An active one counts for nothing until it is settled; `micro` is then what it may spend. */
  add(id: string, agent: string, micro: bigint, active: boolean): void {
    this.holds.push({ id, agent, period: this.#period, spent: micro, refunded: 0n, active });
  }

  close() {
    const lines = [this.#line(null, base)];
    const meters = new Map<string, bigint>();
    for (const { agent, period, spent, refunded, active } of this.holds) {
      const meter = `${period} ${agent}`;
      if (!active) meters.set(meter, (meters.get(meter) ?? 0n) + spent - refunded);
    }
    for (const [meter, used] of meters) {
      const delta = used - (this.#billed.get(meter) ?? 0n);
      if (delta === 0n) continue;
      this.#billed.set(meter, used);
      lines.push(this.#line(meter.split(' ')[1] ?? '', delta * priceMicro));
    }
    this.#period += 1;
    const net = lines.reduce((sum, line) => sum + line.net_cents, 0n);
    const tax = lines.reduce((sum, line) => sum + line.tax_cents, 0n);
    return { lines, net: dollars(net), tax: dollars(tax), total: dollars(net + tax) };
  }

  #line(agent: string | null, exact: bigint) {
    const net_cents = halfEven(exact);
    const exactTax = (net_cents * cent * 21n) / 100n;
    const tax_cents = halfEven(exactTax);
    this.kept += exact - net_cents * cent + exactTax - tax_cents * cent;
    return { agent, net_cents, tax_cents, net: dollars(net_cents), tax: dollars(tax_cents) };
  }
}

/** Whole cents; a tie goes to the even one. */
function halfEven(exact: bigint): bigint {
  const size = exact < 0n ? -exact : exact;
  const rest = size % cent;
  const down = size / cent;
  const up = rest * 2n > cent || (rest * 2n === cent && down % 2n === 1n);
  return (exact < 0n ? -1n : 1n) * (up ? down + 1n : down);
}

function dollars(cents: bigint): string {
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0');
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
