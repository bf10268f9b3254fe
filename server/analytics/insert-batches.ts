import { createHash } from 'node:crypto';
import type { Ctx } from '../platform/index.ts';
import type { SpoolFile } from './spool-file.ts';
import type { Batch } from './spool-rows.ts';
import { linesPresentText } from './sql/usage-imports.ts';
import { fullColumns, importColumns, lineOf, withConstants } from './written-rows.ts';

export interface InsertBatches {
  readonly ctx: Ctx;
  readonly import_id: string;
  readonly synthetic: boolean;
  /** The system that told of the calls; '' = a plain file. */
  readonly origin: string;
  readonly spool: SpoolFile;
  readonly batches: readonly Batch[];
  /** From the second attempt on, what an earlier one has inserted is looked up first. */
  readonly resumed: boolean;
  /** Called before each insert; throws to stop. */
  beforeInsert(): Promise<void>;
}

/**
 * Inserts spooled rows batch by batch, reading the next while ClickHouse takes the last. A row's id is its import and
 * its line, and a batch's token its lines, so that doing it again changes nothing. Answers how many rows were there
 * already.
 */
export async function insertBatches(options: InsertBatches): Promise<{ present: number }> {
  let present = 0;
  let pending: Promise<number> = Promise.resolve(0);
  for (const batch of options.batches) {
    // Latin-1 keeps each byte as it is, whatever the text: nothing here looks beyond tabs, line breaks and digits.
    const rows = (await options.spool.read(batch.from, batch.to)).toString('latin1');
    present += await pending;
    pending = insertBatch(options, batch, rows);
    // Its failure is thrown by the await above, one batch later; until then it is not an unhandled one.
    pending.catch(() => undefined);
  }
  return { present: present + (await pending) };
}

async function insertBatch(options: InsertBatches, batch: Batch, rows: string): Promise<number> {
  await options.beforeInsert();
  const { ctx, import_id, synthetic, origin } = options;
  const there = options.resumed ? await linesPresent(options, batch) : new Set<string>();
  const missing = there.size === 0 ? { rows, lines: '' } : without(rows, there);
  if (missing.rows.length > 0) {
    const constants = { org_id: ctx.principal.org_id, origin, import_id, synthetic };
    await ctx.platform.clickhouse.insertText({
      table: 'usage',
      columns: batch.full ? fullColumns : importColumns,
      format: 'TabSeparated',
      body: Buffer.from(withConstants(missing.rows, constants), 'latin1'),
      // A partial batch has another token than the whole one, or the whole one's token would swallow it.
      token: `${import_id}:${batch.first}:${batch.last}${there.size === 0 ? '' : `:${hashOf(missing.lines)}`}`,
    });
  }
  return there.size;
}

async function linesPresent({ ctx, import_id }: InsertBatches, { first, last }: Batch): Promise<ReadonlySet<string>> {
  const rows = await ctx.platform.clickhouse.query<{ import_line: string }>(linesPresentText, {
    org: ctx.principal.org_id,
    import: import_id,
    first,
    last,
  });
  return new Set(rows.map((row) => String(row.import_line)));
}

function without(rows: string, there: ReadonlySet<string>): { readonly rows: string; readonly lines: string } {
  const missing = rows.split('\n').filter((row) => row !== '' && !there.has(lineOf(row)));
  return { rows: missing.map((row) => `${row}\n`).join(''), lines: missing.map(lineOf).join() };
}

function hashOf(lines: string): string {
  return createHash('sha256').update(lines).digest('hex').slice(0, 16);
}
