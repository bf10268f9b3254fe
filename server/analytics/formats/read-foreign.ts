import { NetraError } from '@netra/contract';
import { CsvReader, type OpenColumns, type UsageRecord } from '../read-records.ts';
import { readLines } from '../read-lines.ts';
import { usageColumns } from '../schemas.ts';
import type { ForeignRecord } from './json-fields.ts';
import type { MapRecord } from './litellm.ts';
import { readJsonItems, type JsonItem } from './read-json-items.ts';

/** Exports carry prompts and answers, which are read past and never kept. */
const maxRecordBytes = 4 * 1024 * 1024;

/** Another system's export, as CSV or as JSON in any layout, as our rows. Throws invalid_usage_file if it is neither. */
export async function* readForeign(
  source: AsyncIterable<Uint8Array>,
  head: Buffer,
  map: MapRecord,
): AsyncGenerator<readonly UsageRecord[]> {
  const first = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart()
    .charAt(0);
  if (first === '{' || first === '[') {
    let number = 0;
    for await (const items of readJsonItems(source, maxRecordBytes)) {
      yield items.map((item): UsageRecord => toRecord(item, (number += 1), map));
    }
    return;
  }
  if (first === '') throw new NetraError('invalid_usage_file', 'The file is empty', { errors: [] });
  const reader = new CsvReader(columnsOf(map), maxRecordBytes);
  for await (const lines of readLines(source, maxRecordBytes)) yield reader.read(lines);
  yield reader.end();
}

const columnsOf =
  (map: MapRecord): OpenColumns =>
  (names) =>
  (line, fields) =>
    rowOf(Object.fromEntries(names.map((name, place) => [name, fields[place]])), line, line, map);

function toRecord(item: JsonItem, number: number, map: MapRecord): UsageRecord {
  if ('error' in item) return { line: item.line, error: item.error };
  const record = parseObject(item.text);
  return record === undefined
    ? { line: item.line, error: 'is not a JSON object' }
    : rowOf(record, number, item.line, map);
}

function rowOf(record: ForeignRecord, line: number, file_line: number, map: MapRecord): UsageRecord {
  const row = map(record);
  if (row === undefined) return { line: file_line, skipped: true };
  if (typeof row === 'string') return { line: file_line, error: row };
  return { line, file_line, values: usageColumns.map((column) => row[column] ?? '') };
}

function parseObject(text: string): ForeignRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    // A parsed object that is no array is a record of unknown values by JSON's own definition.
    return value as ForeignRecord;
  } catch {
    return undefined;
  }
}
