/** A record of another system, as JSON has it; where it came as CSV, objects in it are JSON text. */
export type ForeignRecord = Readonly<Record<string, unknown>>;

/** The first of these members that says something; names differ by how a record was exported. */
export function field(record: ForeignRecord, ...names: readonly string[]): unknown {
  for (const name of names) {
    const value = record[name];
    if (value !== undefined && value !== null && value !== '') return value;
  }
  return undefined;
}

/** The same as text; '' = not there. What is an object is no text. */
export function textField(record: ForeignRecord, ...names: readonly string[]): string {
  const value = field(record, ...names);
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return decimalText(value);
  return typeof value === 'boolean' ? String(value) : '';
}

/** The same as an object, also where it is written as text; empty if it is none. */
export function objectField(record: ForeignRecord, ...names: readonly string[]): ForeignRecord {
  const value = field(record, ...names);
  return typeof value === 'string' ? parseRecord(value) : asRecord(value);
}

/** The same as a list of texts, also where it is written as text. */
export function listField(record: ForeignRecord, ...names: readonly string[]): readonly string[] {
  const value = field(record, ...names);
  const list = typeof value === 'string' ? parseJson(value) : value;
  return Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : [];
}

/** JSON text as an object; empty if it is none. */
function parseRecord(text: string): ForeignRecord {
  return asRecord(parseJson(text));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asRecord(value: unknown): ForeignRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  // A parsed object that is no array is a record of unknown values by JSON's own definition.
  return value as ForeignRecord;
}

/** A number without an exponent, with at most 12 decimals: what other systems write of money is a double. */
function decimalText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = String(value);
  if (!text.includes('e') && (text.split('.')[1] ?? '').length <= 12) return text;
  return value.toFixed(12).replace(/\.?0+$/, '');
}

/** Money of a record, whether it came as a number, as text, or as text with an exponent; '' = not told. */
export function moneyText(value: unknown): string {
  if (typeof value === 'number') return decimalText(value);
  if (typeof value !== 'string' || value === '') return '';
  return /^\d+(?:\.\d{1,12})?$/.test(value) ? value : decimalText(Number(value));
}

/** Milliseconds from one time to another, as text; '' where one of them is missing or they are the wrong way round. */
export function elapsed_ms(from: string, to: string): string {
  const ms = toMs(to) - toMs(from);
  return ms >= 0 ? String(Math.round(ms)) : '';
}

function toMs(text: string): number {
  if (text === '') return Number.NaN;
  if (/^\d{10}(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const iso = text.replace(' ', 'T');
  return Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);
}
