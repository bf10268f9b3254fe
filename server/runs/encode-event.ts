import { NetraError, type NewEvent } from '@netra/contract';

/** Larger data does not belong into a log that is replayed to browsers: agents cut tool results below this. */
export const maxEventData_bytes = 256 * 1024;

/** An event in the form the append takes: `[type, data]` as JSON. */
export interface EncodedEvent {
  readonly event: NewEvent;
  readonly json: string;
}

// In JSON text an odd number of backslashes before u0000 is the character U+0000; lone surrogates are escaped too
// (ECMA-262 well-formed JSON.stringify). PostgreSQL's jsonb takes neither.
const unstorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

/**
 * Encodes an event; `event` is then what the log will hold: U+0000 and lone surrogates became U+FFFD, since they come
 * from models and tools and must not end a run. Throws `payload_too_large` over 256 KiB.
 */
export function encodeEvent(event: NewEvent): EncodedEvent {
  const json = JSON.stringify(event.data);
  if (isUnstorable(json)) return encodeEvent({ type: event.type, data: storable(event.data) } as NewEvent);
  checkSize(event.type, json);
  return { event, json: `["${event.type}",${json}]` };
}

/** The data of a terminal event, before its receipt is known. The same rules. */
export function encodeData(type: string, data: unknown): string {
  const json = JSON.stringify(data);
  if (isUnstorable(json)) return encodeData(type, storable(data));
  checkSize(type, json);
  return json;
}

function checkSize(type: string, json: string): void {
  if (json.length <= maxEventData_bytes / 4) return;
  const bytes = Buffer.byteLength(json);
  if (bytes <= maxEventData_bytes) return;
  const detail = { bytes, max_bytes: maxEventData_bytes };
  throw new NetraError('payload_too_large', `The data of ${type} is over ${maxEventData_bytes / 1024} KiB.`, detail);
}

function isUnstorable(json: string): boolean {
  // The search for a fixed text is many times cheaper, and nearly all data has none.
  return json.includes('\\u') && unstorable.test(json);
}

/** True if jsonb can hold the value: for input from outside, which is refused rather than changed. */
export function isStorable(value: unknown): boolean {
  return !isUnstorable(JSON.stringify(value) ?? '');
}

/** A copy that jsonb can hold; undefined members vanish, as in JSON. */
export function storable(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\u0000', '\ufffd');
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, member]) => [storable(key), storable(member)] as const);
  return Object.fromEntries(entries) as unknown;
}
