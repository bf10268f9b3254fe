import { createHash } from 'node:crypto';
import type { Ctx } from '../platform/index.ts';
import type { CheckedRow } from './check-row.ts';
import { linesPresentText } from './sql/usage-imports.ts';

// Big enough that ClickHouse makes few parts, small enough that two of them are ≈ 15 MB of memory at most.
const batchLines = 10_000;
// ClickHouse refuses a block that spreads over more than 100 partitions.
const batchMonths = 60;

/** A row with its line in the file. */
export interface PlacedRow {
  readonly line: number;
  readonly row: CheckedRow;
}

export interface InsertBatches {
  readonly ctx: Ctx;
  readonly import_id: string;
  readonly synthetic: boolean;
  readonly rows: AsyncIterable<readonly PlacedRow[]>;
  /** From the second attempt on, what an earlier one has inserted is looked up first. */
  readonly resumed: boolean;
  /** Called before each insert; throws to stop. */
  beforeInsert(): Promise<void>;
}

/**
 * Inserts rows in batches, reading the next while ClickHouse takes the last. A row's id is its import and its line,
 * and a batch's token its lines, so that doing it again changes nothing. Answers how many rows were there already.
 */
export async function insertBatches(options: InsertBatches): Promise<{ present: number }> {
  let present = 0;
  let batch: PlacedRow[] = [];
  let months = new Set<string>();
  let pending: Promise<number> = Promise.resolve(0);
  const flush = async (): Promise<void> => {
    present += await pending;
    const rows = batch;
    batch = [];
    months = new Set();
    pending = insertBatch(options, rows);
    // Its failure is thrown by the await above, one batch later; until then it is not an unhandled one.
    pending.catch(() => undefined);
  };
  for await (const rows of options.rows) {
    for (const placed of rows) {
      if (startsNewBatch(batch, months, placed)) await flush();
      batch.push(placed);
      months.add(placed.row.at.slice(0, 7));
    }
  }
  await flush();
  return { present: present + (await pending) };
}

function startsNewBatch(batch: readonly PlacedRow[], months: ReadonlySet<string>, next: PlacedRow): boolean {
  const first = batch[0];
  if (first === undefined) return false;
  // By line, not by count: rows refused in between must not shift the batches of a second attempt.
  if (Math.floor(next.line / batchLines) !== Math.floor(first.line / batchLines)) return true;
  return months.size >= batchMonths && !months.has(next.row.at.slice(0, 7));
}

async function insertBatch(options: InsertBatches, batch: readonly PlacedRow[]): Promise<number> {
  const first = batch[0]?.line;
  const last = batch.at(-1)?.line;
  if (first === undefined || last === undefined) return 0;
  await options.beforeInsert();
  const there = options.resumed ? await linesPresent(options, first, last) : new Set<string>();
  const missing = there.size === 0 ? batch : batch.filter(({ line }) => !there.has(String(line)));
  if (missing.length > 0) {
    await options.ctx.platform.clickhouse.insert({
      table: 'usage',
      rows: missing.map((placed) => asStored(options, placed)),
      // A partial batch has another token than the whole one, or the whole one's token would swallow it.
      token: `${options.import_id}:${first}:${last}${there.size === 0 ? '' : `:${linesHash(missing)}`}`,
    });
  }
  return batch.length - missing.length;
}

async function linesPresent(options: InsertBatches, first: number, last: number): Promise<ReadonlySet<string>> {
  const rows = await options.ctx.platform.clickhouse.query<{ import_line: string }>(linesPresentText, {
    org: options.ctx.principal.org_id,
    import: options.import_id,
    first,
    last,
  });
  return new Set(rows.map((row) => String(row.import_line)));
}

function linesHash(rows: readonly PlacedRow[]): string {
  return createHash('sha256')
    .update(rows.map(({ line }) => line).join())
    .digest('hex')
    .slice(0, 16);
}

function asStored(options: InsertBatches, { line, row }: PlacedRow): Readonly<Record<string, unknown>> {
  return {
    org_id: options.ctx.principal.org_id,
    event_id: `${options.import_id.slice(0, 24)}${line.toString(16).padStart(12, '0')}`,
    source: 'import',
    import_id: options.import_id,
    import_line: line,
    synthetic: options.synthetic,
    ...row,
  };
}
