import { NetraError } from '@netra/contract';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { oneRow, parseInput, type Platform } from '../../platform/index.ts';
import { country } from './schemas.ts';
import { importTaxRatesStatement } from './sql/parties.ts';

const row = z.object({
  country,
  valid_from: z.iso.date(),
  /** Percent in the file, as people write it; a fraction from here on. */
  percent: z.string().regex(/^\d{1,2}(\.\d{1,2})?$/, 'percent: 0 to 99.99'),
  name: z.string().trim().min(1).max(40),
  eu: z.enum(['yes', 'no']),
});
/** Columns that a file may leave out: who says so, and when somebody compared it with the law. */
const evidence = z.object({
  source: z
    .string()
    .trim()
    .max(200)
    .optional()
    .transform((text) => text || 'imported'),
  checked_on: z
    .union([z.iso.date(), z.literal('')])
    .optional()
    .transform((text) => text || null),
});
const rows = z.array(row.extend(evidence.shape)).min(1).max(10_000);
const columns = Object.keys(row.shape);

/**
 * For operators: adds dated rates from CSV with the columns country, valid_from, percent, name, eu (yes or no) and, where
 * given, source and checked_on; all or none. Returns how many were new or changed. Throws `invalid_request` that names what is wrong, and `conflict` for another rate
 * from a date that has begun.
 */
export async function importTaxRates({
  platform,
  input,
}: {
  platform: Pick<Platform, 'postgres'>;
  input: { readonly csv: string };
}): Promise<{ readonly changed: number }> {
  const rates = parseInput(rows, readRows(input.csv)).map(({ percent, eu, ...rate }) => ({
    ...rate,
    rate: asFraction(percent),
    eu: eu === 'yes',
  }));
  const keys = rates.map((rate) => `${rate.country} from ${rate.valid_from}`);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new NetraError('invalid_request', `The file has two rates of ${twice}.`);
  return oneRow(await platform.postgres.call<{ changed: number }>(importTaxRatesStatement(rates)));
}

function readRows(csv: string): unknown {
  try {
    return parse(csv, { bom: true, columns: checkHeader, skip_empty_lines: true, trim: true });
  } catch (error) {
    if (error instanceof NetraError) throw error;
    throw new NetraError('invalid_request', `The file is no CSV: ${(error as Error).message}`);
  }
}

function checkHeader(header: readonly string[]): string[] {
  const missing = columns.filter((column) => !header.includes(column));
  if (missing.length > 0) throw new NetraError('invalid_request', `The file has no column ${missing.join(', ')}.`);
  return [...header];
}

/** 25.5 → 0.2550, by moving the point: no division, no floating point. */
function asFraction(percent: string): string {
  const [whole = '', part = ''] = percent.split('.');
  return `0.${whole.padStart(2, '0')}${part.padEnd(2, '0')}`;
}
