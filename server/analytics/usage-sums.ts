import type { ImportResult } from './schemas.ts';
import type { CheckedRow } from './check-row.ts';

const decimals = 12;
const unit = 10n ** BigInt(decimals);
// checkRow lets at most 1e12 tokens through, so a sum that is emptied at this size has not lost a unit.
const full = Number.MAX_SAFE_INTEGER - 1_000_000_000_001;

/** Sums whole numbers exactly: in a double while it is exact, which is ten times cheaper than bigint for each row. */
class WholeSum {
  #small = 0;
  #large = 0n;

  add(value: number): void {
    this.#small += value;
    if (this.#small < full) return;
    this.#large += BigInt(this.#small);
    this.#small = 0;
  }

  toString(): string {
    return (this.#large + BigInt(this.#small)).toString();
  }
}

/** Exact totals of the rows seen. */
export class UsageSums {
  #calls = 0;
  readonly #input = new WholeSum();
  readonly #cached = new WholeSum();
  readonly #output = new WholeSum();
  #cost_pico = 0n;

  get calls(): number {
    return this.#calls;
  }

  add(row: CheckedRow): void {
    this.#calls += 1;
    this.#input.add(row.input_tokens);
    this.#cached.add(row.cached_input_tokens);
    this.#output.add(row.output_tokens);
    this.#cost_pico += toPico(row.cost_usd);
  }

  totals(): ImportResult['totals'] {
    return {
      calls: this.#calls,
      input_tokens: this.#input.toString(),
      cached_input_tokens: this.#cached.toString(),
      output_tokens: this.#output.toString(),
      cost_usd: fromPico(this.#cost_pico),
    };
  }
}

/** US dollars with at most 12 decimals as whole 10⁻¹² dollars. */
export function toPico(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.split('.');
  return BigInt(whole + fraction.padEnd(decimals, '0'));
}

/** US dollars as ClickHouse writes decimals: no zeros at the end. */
export function fromPico(pico: bigint): string {
  const fraction = (pico % unit).toString().padStart(decimals, '0').replace(/0+$/, '');
  return fraction === '' ? `${pico / unit}` : `${pico / unit}.${fraction}`;
}
