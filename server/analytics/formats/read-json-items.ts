/** An object of a JSON file: its text, or why it has none. `line` is where it begins, from 1. */
export type JsonItem =
  | { readonly line: number; readonly text: string }
  | { readonly line: number; readonly error: string };

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
const lineFeed = 0x0a;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === lineFeed || byte === 0x0d || byte === 0x09;
const listKey = Buffer.from('"data"');

/**
 * Cuts a JSON file into the objects that it lists, whatever its layout: JSON lines, one list, or pages whose list is
 * called `data`, one page or many, one after another. Only brackets and strings are looked at here, and never more is
 * held than a chunk and one object of `max_bytes`; whether a text is JSON is said by who parses it.
 */
export async function* readJsonItems(
  source: AsyncIterable<Uint8Array>,
  max_bytes: number,
): AsyncGenerator<readonly JsonItem[]> {
  const cutter = new JsonCutter(max_bytes);
  for await (const bytes of source) yield cutter.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  yield cutter.end();
}

class JsonCutter {
  readonly #max_bytes: number;
  #items: JsonItem[] = [];
  #line = 1;
  #depth = 0;
  /** The depth at which items lie: 0 = the file's own, 1 = in a list, 2 = in a page's list. */
  #base = 0;
  #inString = false;
  #escaped = false;
  /** The item that is open: where it began, and its bytes so far. */
  #open: { readonly line: number; parts: Buffer[]; size: number } | undefined;
  /** Where in this chunk the open item begins. */
  #from = 0;
  /** How far a page's key has come towards `"data": [`. */
  #key = 0;
  /** What is left of a page after its list is of no interest. */
  #rest = false;

  constructor(max_bytes: number) {
    this.#max_bytes = max_bytes;
  }

  push(chunk: Buffer): JsonItem[] {
    this.#from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (byte === lineFeed) this.#line += 1;
      if (this.#inString) this.#string(byte);
      else this.#outside(byte, at, chunk);
    }
    this.#keep(chunk, chunk.length);
    return this.#take();
  }

  end(): JsonItem[] {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) this.#items.push({ line: open.line, error: 'is cut off: the file ends inside it' });
    else if (this.#depth > 0) this.#items.push({ line: this.#line, error: 'the file ends before its list does' });
    return this.#take();
  }

  #take(): JsonItem[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }

  #string(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === backslash) this.#escaped = true;
    else if (byte === quote) this.#inString = false;
    if (this.#key > 0) this.#key = listKey[this.#key] === byte ? this.#key + 1 : 0;
  }

  #outside(byte: number, at: number, chunk: Buffer): void {
    if (isSpace(byte)) return;
    if (this.#open === undefined && !this.#rest && this.#depth === this.#base) {
      if (byte === openList && this.#base === 0) {
        this.#base = this.#depth = 1;
        return;
      }
      if (byte === closeList && this.#base > 0) {
        this.#endList();
        return;
      }
      if (byte === comma) return;
      this.#open = { line: this.#line, parts: [], size: 0 };
      this.#from = at;
    }
    this.#inside(byte, at, chunk);
  }

  #inside(byte: number, at: number, chunk: Buffer): void {
    if (byte === quote) this.#inString = true;
    if (this.#findsList(byte)) return;
    if (byte === openList || byte === openObject) this.#depth += 1;
    if (byte === closeList || byte === closeObject) this.#depth -= 1;
    if (this.#rest) {
      if (this.#depth <= 0) this.#reset();
      return;
    }
    const closes = byte === closeList || byte === closeObject;
    if (closes && this.#depth <= this.#base) this.#close(chunk, at + 1);
  }

  /** True at the bracket that opens a page's list: what was taken for an item is the page around it. */
  #findsList(byte: number): boolean {
    if (this.#base !== 0 || this.#rest || this.#depth !== 1) return false;
    if (byte === quote) this.#key = 1;
    else if (this.#key === listKey.length && byte === colon) this.#key += 1;
    else if (this.#key === listKey.length + 1 && byte === openList) {
      this.#open = undefined;
      this.#base = this.#depth = 2;
      this.#key = 0;
      return true;
    } else this.#key = 0;
    return false;
  }

  #endList(): void {
    this.#rest = this.#base === 2;
    this.#base = 0;
    this.#depth = this.#rest ? 1 : 0;
  }

  #reset(): void {
    this.#rest = false;
    this.#depth = this.#base = 0;
  }

  #close(chunk: Buffer, to: number): void {
    this.#keep(chunk, to);
    const open = this.#open;
    this.#open = undefined;
    // More was closed than opened: what follows is read as if it began here.
    this.#depth = this.#base;
    if (open === undefined) return;
    this.#items.push(
      open.size > this.#max_bytes
        ? { line: open.line, error: `is longer than ${this.#max_bytes} bytes` }
        : { line: open.line, text: Buffer.concat(open.parts).toString('utf8') },
    );
  }

  #keep(chunk: Buffer, to: number): void {
    const open = this.#open;
    if (open === undefined) return;
    open.size += to - this.#from;
    if (open.size > this.#max_bytes) open.parts = [];
    else open.parts.push(Buffer.from(chunk.subarray(this.#from, to)));
    this.#from = to;
  }
}
