import { NetraError } from '@netra/contract';
import { parse } from 'csv-parse/sync';
import { maxLineBytes, readLines, type Lines } from './read-lines.ts';
import { callColumns, usageColumns, type UsageColumn } from './schemas.ts';

/** A row of a usage file: its values in the order of `usageColumns` ('' = not there), or why it has none. */
export type UsageRecord =
  /** `file_line` where a row's number, which is its identity, is not that of its line: in JSON several share one. */
  | { readonly line: number; readonly file_line?: number; readonly values: readonly string[] }
  | { readonly line: number; readonly error: string }
  /** No call of a language model. */
  | { readonly line: number; readonly skipped: true };

export interface RecordOptions {
  readonly format: 'csv' | 'jsonl';
  readonly map: Readonly<Partial<Record<UsageColumn, string>>>;
  /** Columns that the importer fills itself, so that the file need not have them. */
  readonly given: ReadonlySet<UsageColumn>;
}

/** What becomes of a CSV file's fields: asked once for its header, then for each record. */
export type OpenColumns = (names: readonly string[]) => (line: number, fields: readonly string[]) => UsageRecord;

const required: readonly UsageColumn[] = ['time', 'model', 'input_tokens', 'output_tokens'];
const cutHint = ' (the file ends inside this line)';

/** Reads a usage file row by row, some at a time. Throws invalid_usage_file if it cannot have the rows asked for. */
export async function* readRecords(
  source: AsyncIterable<Uint8Array>,
  options: RecordOptions,
): AsyncGenerator<readonly UsageRecord[]> {
  const reader = options.format === 'csv' ? new CsvReader(ourColumns(options)) : new JsonReader(options);
  for await (const lines of readLines(source)) yield reader.read(lines);
  yield reader.end();
}

const ourColumns =
  (options: RecordOptions): OpenColumns =>
  (names) => {
    const places = findColumns(names, options);
    return (line, fields) => ({ line, values: places.map((place) => (place < 0 ? '' : (fields[place] ?? ''))) });
  };

interface Reader {
  read(lines: Lines): UsageRecord[];
  end(): UsageRecord[];
}

/** RFC 4180, with the file's own line numbers. Records with quotes go through csv-parse, the others are cut at commas. */
export class CsvReader implements Reader {
  readonly #openColumns: OpenColumns;
  readonly #max_bytes: number;
  #toRecord: ReturnType<OpenColumns> | undefined;
  #width = 0;
  /** A quoted field may hold line breaks: the lines of a record that is still open. */
  #open: { readonly line: number; readonly texts: string[]; length: number } | undefined;

  constructor(openColumns: OpenColumns, max_bytes = maxLineBytes) {
    this.#openColumns = openColumns;
    this.#max_bytes = max_bytes;
  }

  read(lines: Lines): UsageRecord[] {
    const records: UsageRecord[] = [];
    const last = lines.texts.length - 1;
    lines.texts.forEach((text, place) => {
      const reason = lines.bad.get(place);
      const line = lines.first + place;
      const hint = lines.unterminated && place === last ? cutHint : '';
      const record = reason === undefined ? this.#line(line, text, hint) : this.#bad(line, reason);
      if (record !== undefined) records.push(record);
    });
    return records;
  }

  end(): UsageRecord[] {
    if (this.#open !== undefined)
      return [{ line: this.#open.line, error: `opens a quote that never closes${cutHint}` }];
    if (this.#toRecord === undefined) throw new NetraError('invalid_usage_file', 'The file is empty', { errors: [] });
    return [];
  }

  #bad(line: number, error: string): UsageRecord {
    if (this.#toRecord === undefined) throw unreadableHeader(line, error);
    return { line, error };
  }

  #line(line: number, raw: string, hint: string): UsageRecord | undefined {
    const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (this.#open === undefined && !text.includes('"')) return this.#record(line, text, text.split(','), hint);
    // Each line's quotes are counted once: counted again with every line, a long field takes the square of its length.
    const open = this.#open ?? { line, texts: [], length: 0 };
    const closes = (quotes(text) % 2 === 1) === (this.#open !== undefined);
    open.texts.push(text);
    open.length += text.length + 1;
    this.#open = undefined;
    if (closes) {
      const whole = open.texts.join('\n');
      return this.#record(open.line, whole, splitQuoted(whole), hint);
    }
    if (open.length > this.#max_bytes)
      return { line: open.line, error: `opens a quote that does not close in ${this.#max_bytes / 1024} KiB` };
    this.#open = open;
    return undefined;
  }

  #record(line: number, text: string, fields: readonly string[] | undefined, hint: string): UsageRecord | undefined {
    if (text === '') return undefined;
    if (fields === undefined) return { line, error: `has a quote in the wrong place${hint}` };
    if (this.#toRecord === undefined) {
      this.#toRecord = this.#openColumns(fields.map((field) => field.trim()));
      this.#width = fields.length;
      return undefined;
    }
    if (fields.length !== this.#width)
      return { line, error: `has ${fields.length} columns, not ${this.#width}${hint}` };
    return this.#toRecord(line, fields);
  }
}

function quotes(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) count += 1;
  return count;
}

function splitQuoted(text: string): string[] | undefined {
  try {
    return parse(text, { relax_column_count: true })[0];
  } catch {
    return undefined;
  }
}

function findColumns(names: readonly string[], options: RecordOptions): readonly number[] {
  const places = usageColumns.map((column) => names.indexOf(options.map[column] ?? column));
  const missing = usageColumns
    .filter((column, place) => places[place] === -1 && isWanted(column, options))
    .map((column) => describe(column, options));
  const seen = new Set<string>();
  const twice = names.filter((name) => name !== '' && seen.size === seen.add(name).size);
  // Most files end at our plain columns: what they lack altogether is not looked for in each row.
  if (missing.length === 0 && twice.length === 0)
    return places.slice(0, places.findLastIndex((place) => place >= 0) + 1);
  throw wrongColumns(missing, twice, names);
}

function isWanted(column: UsageColumn, options: RecordOptions): boolean {
  return options.map[column] !== undefined || (required.includes(column) && !options.given.has(column));
}

function describe(column: UsageColumn, options: RecordOptions): string {
  const name = options.map[column];
  return name === undefined || name === column ? column : `${name} (for ${column})`;
}

function wrongColumns(missing: readonly string[], twice: readonly string[], names: readonly string[]): NetraError {
  const shown = names.slice(0, 50).map((name) => name.slice(0, 100));
  const message = [
    missing.length > 0 ? `The file lacks the column ${missing.join(', ')}.` : '',
    twice.length > 0 ? `The file has the column ${twice[0]} twice.` : '',
    `It has: ${shown.join(', ')}.`,
    missing.length > 0 ? 'Name its columns with a map such as time=TIMESTAMP, or give model as a constant.' : '',
  ];
  return new NetraError('invalid_usage_file', message.filter((part) => part !== '').join(' '), {
    missing,
    present: shown,
    errors: [{ line: 1, message: message[0] === '' ? message[1] : message[0] }],
  });
}

function unreadableHeader(line: number, reason: string): NetraError {
  return new NetraError('invalid_usage_file', `Line ${line} ${reason}, so this is no CSV file with a header`, {
    errors: [{ line, message: reason }],
  });
}

class JsonReader implements Reader {
  readonly #options: RecordOptions;
  readonly #names: readonly string[];
  readonly #plainNames: readonly string[];
  readonly #moreNames: readonly string[];
  #checked = false;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#names = usageColumns.map((column) => options.map[column] ?? column);
    this.#plainNames = this.#names.slice(0, -callColumns.length);
    this.#moreNames = this.#names.slice(-callColumns.length);
  }

  read(lines: Lines): UsageRecord[] {
    const last = lines.texts.length - 1;
    return lines.texts.flatMap((text, place): UsageRecord[] => {
      const line = lines.first + place;
      const reason = lines.bad.get(place);
      if (reason !== undefined) return [{ line, error: reason }];
      if (text.trim() === '') return [];
      return [this.#record(line, text, lines.unterminated && place === last ? cutHint : '')];
    });
  }

  end(): UsageRecord[] {
    return [];
  }

  #record(line: number, text: string, hint: string): UsageRecord {
    const value = parseObject(text);
    if (value === undefined) return { line, error: `is not a JSON object${hint}` };
    if (!this.#checked) findColumns(Object.keys(value), this.#options);
    this.#checked = true;
    const names = this.#moreNames.some((name) => name in value) ? this.#names : this.#plainNames;
    try {
      return { line, values: names.map((name) => textOf(value[name])) };
    } catch {
      return { line, error: 'is nested too deeply' };
    }
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // A parsed object that is no array is a record of unknown values by JSON's own definition.
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return value === undefined || value === null ? '' : JSON.stringify(value);
}
