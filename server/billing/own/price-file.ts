import { CsvError, parse } from 'csv-parse/sync';
import { z } from 'zod';
import { refuseFile } from '../../plans/index.ts';
import { tokenKinds, utcText } from '../price-book.ts';

const filePrice = z.strictObject({
  provider: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'a name: lower case, digits, . _ and -'),
  model: z.string().regex(/^\S{1,128}$/, 'a name without spaces'),
  kind: z.enum(tokenKinds),
  /** A day, UTC, or a moment with its zone; absent = now. */
  valid_from: z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], 'a day 2027-01-01, or a moment 2027-01-01T12:00:00Z')
    .transform(startOf)
    .nullable()
    .default(null),
  /** Requests with more input tokens pay this price for all their tokens of the kind. */
  above_tokens: z.number().int().min(0).default(0),
  usd_mtok: z
    .string('write the price as a string: "2.5"')
    .regex(/^\d{1,9}(\.\d{1,12})?$/, 'dollars for a million tokens, at most 12 decimals, as a string: "2.5"')
    .refine((text) => /[1-9]/.test(text), 'a price is more than zero'),
});
export type FilePrice = z.output<typeof filePrice> & { readonly place: string };

interface Entry {
  /** How a problem names it: the line of a CSV, the entry of a JSON list. */
  readonly place: string;
  readonly value: unknown;
}

/** Reads a file whole: its good entries, and every problem of the others by line or entry. */
export function readPriceFile(
  text: string,
  format: 'csv' | 'json',
): { readonly prices: readonly FilePrice[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const prices = (format === 'csv' ? csvEntries(text) : jsonEntries(text)).flatMap(({ place, value }): FilePrice[] => {
    const parsed = filePrice.safeParse(value);
    if (parsed.success) return [{ ...parsed.data, place }];
    problems.push(
      ...parsed.error.issues.map(({ path, message }) => `${place}: ${[...path.map(String), message].join(': ')}`),
    );
    return [];
  });
  return { prices, problems };
}

/** A moment as a price has it: the day alone where it begins with it. */
export function startOf(text: string): string {
  return utcText(new Date(text)).replace(/ 00:00:00\.000Z$|Z$/, '');
}

function csvEntries(text: string): readonly Entry[] {
  try {
    const rows = parse(text, {
      bom: true,
      columns: true,
      info: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as { readonly record: Readonly<Record<string, string>>; readonly info: { readonly lines: number } }[];
    return rows.map(({ record, info }) => ({ place: `line ${info.lines}`, value: ofCells(record) }));
  } catch (error) {
    if (error instanceof CsvError) throw refuseFile([`The file is no CSV: ${error.message}`]);
    throw error;
  }
}

/** An empty cell is a field that was not given; what is no number stays what it is, and is refused as such. */
function ofCells(record: Readonly<Record<string, string>>): object {
  const given = Object.entries(record).filter(([, cell]) => cell !== '');
  const value = (name: string, cell: string): unknown =>
    name === 'above_tokens' && /^\d{1,15}$/.test(cell) ? Number(cell) : cell;
  return Object.fromEntries(given.map(([name, cell]) => [name, value(name, cell)]));
}

function jsonEntries(text: string): readonly Entry[] {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch (error) {
    throw refuseFile([`The file is no JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
  const shape = z.strictObject({ prices: z.array(z.unknown()) }).safeParse(whole);
  if (!shape.success) {
    throw refuseFile(['A price file is {"prices": [{"provider", "model", "kind", "usd_mtok", …}]}']);
  }
  return shape.data.prices.map((value, place) => ({ place: `entry ${place + 1}`, value }));
}
