import { isAscii, isUtf8 } from 'node:buffer';
import { NetraError } from '@netra/contract';

/** Bounds of a usage file. The longest line is 64 KiB; a longer one is a bad row, never memory. */
export const maxLineBytes = 64 * 1024;

/** Lines that lie together in a file. `bad` says why a line is not text, by its place in `texts`. */
export interface Lines {
  /** Line number of `texts[0]`, from 1. */
  readonly first: number;
  readonly texts: readonly string[];
  readonly bad: ReadonlyMap<number, string>;
  /** True if the last line has no line break: the file may have been cut there. */
  readonly unterminated: boolean;
}

const lineFeed = 0x0a;
const none: ReadonlyMap<number, string> = new Map();
const tooLong = (max_bytes: number): string => `is longer than ${max_bytes} bytes`;

/** Cuts a stream of bytes into lines, a chunk at a time; never holds more than a chunk and one line. */
export async function* readLines(source: AsyncIterable<Uint8Array>, max_bytes = maxLineBytes): AsyncGenerator<Lines> {
  let rest: Buffer = Buffer.alloc(0);
  let skipping = false;
  let first = 1;
  let start = true;
  for await (const bytes of source) {
    let chunk: Buffer = Buffer.concat([rest, bytes]);
    if (start && chunk.length < 4) {
      rest = chunk;
      continue;
    }
    if (start) chunk = withoutMark(chunk);
    start = false;
    const end = chunk.lastIndexOf(lineFeed) + 1;
    if (end > 0) {
      const lines = cut(chunk.subarray(0, end - 1), first, skipping, max_bytes);
      skipping = false;
      first += lines.texts.length;
      yield lines;
    }
    rest = chunk.subarray(end);
    if (rest.length > max_bytes) {
      // The line is refused already: what is left of it is dropped, up to one byte that keeps its place.
      skipping = true;
      rest = rest.subarray(0, 1);
    }
  }
  if (start) rest = withoutMark(rest);
  if (rest.length > 0) yield { ...cut(rest, first, skipping, max_bytes), unterminated: true };
}

function cut(bytes: Buffer, first: number, skipping: boolean, max_bytes: number): Lines {
  if (!isUtf8(bytes) || bytes.includes(0)) return cutCarefully(bytes, first, skipping, max_bytes);
  // latin1 is the same as UTF-8 for ASCII and several times faster to decode.
  const texts = bytes.toString(isAscii(bytes) ? 'latin1' : 'utf8').split('\n');
  const bad =
    skipping || texts.some((text) => text.length > max_bytes / 4) ? findLong(texts, skipping, max_bytes) : none;
  return { first, texts, bad, unterminated: false };
}

function findLong(texts: readonly string[], skipping: boolean, max_bytes: number): ReadonlyMap<number, string> {
  const bad = new Map<number, string>();
  if (skipping) bad.set(0, tooLong(max_bytes));
  texts.forEach((text, place) => {
    if (Buffer.byteLength(text) > max_bytes) bad.set(place, tooLong(max_bytes));
  });
  return bad;
}

/** Line by line, so that one bad line does not spoil its neighbours. */
function cutCarefully(bytes: Buffer, first: number, skipping: boolean, max_bytes: number): Lines {
  const texts: string[] = [];
  const bad = new Map<number, string>();
  for (let from = 0; from <= bytes.length;) {
    const feed = bytes.indexOf(lineFeed, from);
    const to = feed === -1 ? bytes.length : feed;
    const line = bytes.subarray(from, to);
    const reason = whyNotText(line, skipping && from === 0, max_bytes);
    if (reason !== undefined) bad.set(texts.length, reason);
    texts.push(reason === undefined ? line.toString('utf8') : '');
    from = to + 1;
  }
  return { first, texts, bad, unterminated: false };
}

function whyNotText(line: Buffer, skipping: boolean, max_bytes: number): string | undefined {
  if (skipping || line.length > max_bytes) return tooLong(max_bytes);
  if (line.includes(0)) return 'is binary: it holds a zero byte';
  return isUtf8(line) ? undefined : 'is not valid UTF-8';
}

const signatures: readonly (readonly [string, string])[] = [
  ['1f8b', 'a gzip file; unpack it first'],
  ['504b0304', 'a zip or spreadsheet file; save it as CSV first'],
  ['50415231', 'a Parquet file; save it as CSV or JSON lines first'],
  ['28b52ffd', 'a Zstandard file; unpack it first'],
  ['fffe', 'UTF-16 text; save it as UTF-8 first'],
  ['feff', 'UTF-16 text; save it as UTF-8 first'],
  ['25504446', 'a PDF file'],
];

/** Drops UTF-8's byte order mark; refuses files that are plainly something else. */
function withoutMark(bytes: Buffer): Buffer {
  const head = bytes.subarray(0, 4).toString('hex');
  if (head.startsWith('efbbbf')) return bytes.subarray(3);
  const found = signatures.find(([signature]) => head.startsWith(signature));
  if (found === undefined) return bytes;
  throw new NetraError('invalid_usage_file', `This is ${found[1]}. Usage files are CSV or JSON lines in UTF-8`, {
    errors: [{ line: 1, message: `This is ${found[1]}` }],
  });
}
