import type { Invoice } from './read-invoice.ts';

/** 2026-11-25, in UTC, as the periods are counted. */
export function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}

const countries = new Intl.DisplayNames('en', { type: 'region', fallback: 'code' });

/** NL → Netherlands, as an address on a letter says it. */
export function countryName(code: string | null): string | null {
  return code === null ? null : (countries.of(code) ?? code);
}

/** An exact decimal as people print it: thousands parted, and a minus that is one: -1234.5 → −1,234.5. */
export function amount(decimal: string): string {
  const [whole = '', part] = decimal.replace('-', '\u2212').split('.');
  const parted = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',');
  return part === undefined ? parted : `${parted}.${part}`;
}

/** A fraction of four decimals as percent: 0.0810 → 8.1 %. Moves the point: no floating point. */
export function percent(fraction: string): string {
  const [whole = '0', part = ''] = fraction.split('.');
  const digits = `${whole}${part.padEnd(4, '0')}`;
  const percents = BigInt(digits.slice(0, -2)).toString();
  const rest = digits.slice(-2).replace(/0+$/, '');
  return `${percents}${rest === '' ? '' : `.${rest}`} %`;
}

/** Dollars and cents as whole cents: every amount of an invoice has two decimals. */
function toCents(usd: string): bigint {
  return BigInt(usd.replace('.', ''));
}

function fromCents(cents: bigint): string {
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0');
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

export interface TaxSum {
  readonly name: string;
  readonly rate: string;
  readonly net_usd: string;
  readonly tax_usd: string;
}

/** What each rate comes to, in the order of the lines. */
export function taxSummary({ lines }: Pick<Invoice, 'lines'>): readonly TaxSum[] {
  const sums = new Map<string, { name: string; rate: string; net: bigint; tax: bigint }>();
  for (const { tax_name: name, tax_rate: rate, net_usd, tax_usd } of lines) {
    const key = `${name} ${rate}`;
    const sum = sums.get(key) ?? { name, rate, net: 0n, tax: 0n };
    sum.net += toCents(net_usd);
    sum.tax += toCents(tax_usd);
    sums.set(key, sum);
  }
  return [...sums.values()].map(({ name, rate, net, tax }) => ({
    name,
    rate,
    net_usd: fromCents(net),
    tax_usd: fromCents(tax),
  }));
}
