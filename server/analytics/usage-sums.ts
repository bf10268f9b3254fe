import type { ImportResult } from './schemas.ts';
import type { CheckedRow } from './check-row.ts';

const decimals = 12;
const unit = 10n ** BigInt(decimals);
/** The largest number that a sum takes as a double; checkRow lets no more tokens through. */
const largest = 1_000_000_000_000;
// A sum that is emptied at this size has not lost a unit.
const full = Number.MAX_SAFE_INTEGER - largest - 1;

/** '.' counted from '0'. */
const point = -2;
const powers = Array.from({ length: decimals + 1 }, (_, power) => 10 ** power);

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

  addLarge(value: bigint): void {
    this.#large += value;
  }

  total(): bigint {
    return this.#large + BigInt(this.#small);
  }
}

type Summed = Pick<CheckedRow, 'input_tokens' | 'cached_input_tokens' | 'output_tokens' | 'cost_usd'>;

/** Exact totals of the rows seen. */
export class UsageSums {
  #calls = 0;
  readonly #input = new WholeSum();
  readonly #cached = new WholeSum();
  readonly #output = new WholeSum();
  readonly #cost_pico = new WholeSum();

  get calls(): number {
    return this.#calls;
  }

  add(row: Summed): void {
    this.#calls += 1;
    this.#input.add(row.input_tokens);
    this.#cached.add(row.cached_input_tokens);
    this.#output.add(row.output_tokens);
    const pico = smallPico(row.cost_usd);
    if (pico === undefined) this.#cost_pico.addLarge(toPico(row.cost_usd));
    else this.#cost_pico.add(pico);
  }

  totals(): ImportResult['totals'] {
    return {
      calls: this.#calls,
      input_tokens: this.#input.total().toString(),
      cached_input_tokens: this.#cached.total().toString(),
      output_tokens: this.#output.total().toString(),
      cost_usd: fromPico(this.#cost_pico.total()),
    };
  }
}

/** `toPico` for amounts of up to $1, as nearly all calls cost; undefined for others. */
function smallPico(usd: string): number | undefined {
  if (usd.length > 15) return undefined;
  let digits = 0;
  let places = 0;
  for (let at = 0; at < usd.length; at += 1) {
    const digit = usd.charCodeAt(at) - 48;
    if (digit === point) places = usd.length - at - 1;
    else digits = digits * 10 + digit;
  }
  const pico = digits * (powers[decimals - places] ?? Number.NaN);
  return pico <= largest ? pico : undefined;
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
