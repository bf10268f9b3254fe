import { noCall, storedCallColumns, type CallColumns } from './call-columns.ts';
import type { CheckedRow } from './check-row.ts';

/** Above this the bytes are to be taken; a row may still go over it, by at most `maxRowBytes`. */
const fullBytes = 256 * 1024;
// checkRow lets 512 characters through in each of nineteen columns: 3 bytes each, or 2 if escaped.
const maxRowBytes = 32 * 1024;

const bufferBytes = fullBytes + maxRowBytes;
const newBytes = (): Buffer => Buffer.allocUnsafeSlow(bufferBytes);

// Called this way V8 inlines it even in a process in which some library has a class that extends String (ioredis has).
const { charCodeAt } = String.prototype;
const tab = 0x09;
const lineFeed = 0x0a;
const backslash = 0x5c;
const zero = 0x30;
const escapes = new Map([
  [tab, 't'],
  [lineFeed, 'n'],
  [0x0d, 'r'],
  [backslash, '\\'],
]);

/**
 * Writes rows as TabSeparated text (https://clickhouse.com/docs/interfaces/formats/TabSeparated), cell by cell into
 * bytes: strings put together and encoded took three times as long, a third of all that an import's reading took.
 */
export class RowWriter {
  #bytes = newBytes();
  #size = 0;
  /** Given back, to be written again: touching new memory for each row costs as much as writing it. */
  readonly #free: Buffer[] = [];

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= fullBytes;
  }

  /**
   * A row without the cells that are the same in all rows of an import, in the order of `importColumns`. It begins with
   * the last 12 digits of its id: an id is its import and its line. Not to be called when full.
   */
  write(line: number, row: CheckedRow, full: boolean): void {
    this.#hex12(line);
    this.#number(line);
    this.#text(row.at);
    this.#text(row.user_id);
    this.#text(row.agent);
    this.#text(row.feature);
    this.#text(row.model);
    this.#number(row.input_tokens);
    this.#number(row.cached_input_tokens);
    this.#number(row.output_tokens);
    this.#text(row.cost_usd);
    this.#text(row.price_book);
    this.#text(row.status);
    this.#text(row.error);
    if (row.latency_ms === null) this.#null();
    else this.#number(row.latency_ms);
    this.#text(row.request_id);
    this.#text(row.prompt_hash);
    this.#text(row.prefix_hash);
    this.#number(row.prefix_tokens);
    this.#text(row.retry_of);
    if (full) this.#call(row.call ?? noCall);
    if (this.#size > this.#bytes.length) throw new Error(`line ${line} makes a row of more than ${maxRowBytes} bytes`);
    this.#bytes[this.#size - 1] = lineFeed;
  }

  #call(call: CallColumns): void {
    for (const column of storedCallColumns) {
      const cell = call[column];
      if (typeof cell === 'string') this.#text(cell);
      else if (typeof cell === 'number') this.#number(cell);
      else this.#null();
    }
  }

  /** What was written since the last call; to be given back once it is used. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#size);
    this.#bytes = this.#free.pop() ?? newBytes();
    this.#size = 0;
    return bytes;
  }

  giveBack(bytes: Buffer): void {
    this.#free.push(Buffer.from(bytes.buffer, bytes.byteOffset, bufferBytes));
  }

  #text(text: string): void {
    const bytes = this.#bytes;
    let at = this.#size;
    for (let place = 0; place < text.length; place += 1) {
      const code = charCodeAt.call(text, place);
      if (code >= 0x80 || code === backslash || (code < 0x20 && escapes.has(code))) {
        this.#carefully(text);
        return;
      }
      bytes[at] = code;
      at += 1;
    }
    bytes[at] = tab;
    this.#size = at + 1;
  }

  #carefully(text: string): void {
    const safe = text.replaceAll(/[\t\n\r\\]/g, (found) => `\\${escapes.get(found.charCodeAt(0))}`);
    this.#size += this.#bytes.write(safe, this.#size);
    this.#bytes[this.#size] = tab;
    this.#size += 1;
  }

  #number(value: number): void {
    let length = 1;
    for (let power = 10; power <= value; power *= 10) length += 1;
    let rest = value;
    for (let at = this.#size + length - 1; at >= this.#size; at -= 1) {
      const digit = rest % 10;
      this.#bytes[at] = zero + digit;
      rest = (rest - digit) / 10;
    }
    this.#size += length;
    this.#bytes[this.#size] = tab;
    this.#size += 1;
  }

  #hex12(value: number): void {
    let rest = value;
    for (let at = this.#size + 11; at >= this.#size; at -= 1) {
      const digit = rest % 16;
      this.#bytes[at] = digit < 10 ? zero + digit : 0x57 + digit;
      rest = (rest - digit) / 16;
    }
    this.#bytes[this.#size + 12] = tab;
    this.#size += 13;
  }

  #null(): void {
    this.#bytes[this.#size] = backslash;
    this.#bytes[this.#size + 1] = 0x4e;
    this.#bytes[this.#size + 2] = tab;
    this.#size += 3;
  }
}
