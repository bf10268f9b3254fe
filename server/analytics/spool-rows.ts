import type { CheckedRow } from './check-row.ts';
import { RowWriter } from './row-writer.ts';
import type { SpoolFile } from './spool-file.ts';

// Big enough that ClickHouse makes few parts, small enough that two of them are ≈ 15 MB of memory; with 10,000 lines
// an insert into chDB took 1.3 times as long for each row, with 50,000 and 100,000 about as long as with 25,000.
const batchLines = 25_000;
/** Where rows are long, fewer make a batch. */
const batchBytes = 8 * 1024 * 1024;
// ClickHouse refuses a block that spreads over more than 100 partitions.
const batchMonths = 60;

/** Rows that go into ClickHouse together: their lines in the file, and where their text is in the spool. */
export interface Batch {
  readonly first: number;
  readonly last: number;
  readonly from: number;
  readonly to: number;
  /** Whether its rows have the columns of `callColumns` too. */
  readonly full: boolean;
  /** From its first call to its last, where calls have ids; undefined where none has. */
  readonly span: { readonly from: string; readonly to: string } | undefined;
}

/**
 * Writes checked rows into a spool as the text that ClickHouse takes, and remembers where batches begin and end. The
 * same file makes the same batches at each attempt, since a batch's lines are its deduplication token.
 */
export class RowSpool {
  readonly #spool: SpoolFile;
  readonly #batches: Batch[] = [];
  readonly #writer = new RowWriter();
  #ready: Buffer[] = [];
  /** Bytes that are in the spool or on the way there, without those that the writer still has. */
  #taken = 0;
  #open: { readonly first: number; readonly from: number; last: number } | undefined;
  /** From the first row on that has them: the same file makes the same batches. */
  #full = false;
  #month = '';
  #months = new Set<string>();
  /** Ids of the open batch's calls, and their times. */
  #ids = new Set<string>();
  #span: { from: string; to: string } | undefined;

  constructor(spool: SpoolFile) {
    this.#spool = spool;
  }

  /** False where the batch has the call already: it is not kept again. */
  add(line: number, row: CheckedRow): boolean {
    if (row.call !== null && !this.#full) {
      this.#endBatch();
      this.#full = true;
    }
    if (this.#open !== undefined && this.#startsNewBatch(this.#open, line, row)) this.#endBatch();
    if (row.request_id !== '' && !this.#isNew(row)) return false;
    if (this.#writer.isFull) this.#take();
    this.#open ??= { first: line, from: this.#size, last: line };
    this.#open.last = line;
    this.#writer.write(line, row, this.#full);
    if (row.at.startsWith(this.#month) && this.#month !== '') return true;
    this.#month = row.at.slice(0, 7);
    this.#months.add(this.#month);
    return true;
  }

  #isNew({ request_id, at }: CheckedRow): boolean {
    if (this.#ids.has(request_id)) return false;
    this.#ids.add(request_id);
    this.#span ??= { from: at, to: at };
    if (at < this.#span.from) this.#span.from = at;
    if (at > this.#span.to) this.#span.to = at;
    return true;
  }

  /** To be awaited now and then: what was added waits in memory until then. */
  async write(): Promise<void> {
    const ready = this.#ready;
    this.#ready = [];
    for (const bytes of ready) {
      await this.#spool.append(bytes);
      this.#writer.giveBack(bytes);
    }
  }

  /** Writes the rest; the batches in the file's order. */
  async end(): Promise<readonly Batch[]> {
    this.#endBatch();
    this.#take();
    await this.write();
    return this.#batches;
  }

  get #size(): number {
    return this.#taken + this.#writer.size;
  }

  #startsNewBatch(open: { readonly first: number; readonly from: number }, line: number, row: CheckedRow): boolean {
    // By line, not by count: rows refused in between must not shift the batches of a second attempt.
    if (Math.floor(line / batchLines) !== Math.floor(open.first / batchLines)) return true;
    if (this.#size - open.from >= batchBytes) return true;
    return this.#months.size >= batchMonths && !this.#months.has(row.at.slice(0, 7));
  }

  #endBatch(): void {
    if (this.#open === undefined) return;
    const { first, last, from } = this.#open;
    this.#batches.push({ first, last, from, to: this.#size, full: this.#full, span: this.#span });
    this.#open = undefined;
    this.#ids = new Set();
    this.#span = undefined;
    this.#month = '';
    this.#months = new Set();
  }

  #take(): void {
    const bytes = this.#writer.take();
    this.#taken += bytes.length;
    this.#ready.push(bytes);
  }
}
