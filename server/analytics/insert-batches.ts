import { createHash } from 'node:crypto';
import type { Ctx } from '../platform/index.ts';
import type { SpoolFile } from './spool-file.ts';
import type { Batch } from './spool-rows.ts';
import { callsInSpanText, idsPresentText, linesPresentText } from './sql/usage-imports.ts';
import { fullColumns, importColumns, lineOf, requestIdOf, withConstants } from './written-rows.ts';

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
  const known = await idsPresent(options, batch, rows);
  const missing = there.size + known.size === 0 ? { rows, lines: '', dropped: 0 } : without(rows, there, known);
  if (missing.rows.length > 0) {
    const constants = { org_id: ctx.principal.org_id, origin, import_id, synthetic };
    await ctx.platform.clickhouse.insertText({
      table: 'usage',
      columns: batch.full ? fullColumns : importColumns,
      format: 'TabSeparated',
      body: Buffer.from(withConstants(missing.rows, constants), 'latin1'),
      // A partial batch has another token than the whole one, or the whole one's token would swallow it.
      token: `${import_id}:${batch.first}:${batch.last}${there.size + known.size === 0 ? '' : `:${hashOf(missing.lines)}`}`,
    });
  }
  return missing.dropped;
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

/** Which of a batch's calls are there from other files, or further up in this one: by their ids, at their time. */
async function idsPresent(options: InsertBatches, { span }: Batch, rows: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  if (span === undefined) return found;
  const { ctx, origin } = options;
  const scope = { org: ctx.principal.org_id, origin, ...span };
  const [counted] = await ctx.platform.clickhouse.query<{ calls: string }>(callsInSpanText, scope);
  if (Number(counted?.calls ?? 0) === 0) return found;
  for (const ids of someIds(rows)) {
    const there = await ctx.platform.clickhouse.query<{ request_id: string }>(idsPresentText, { ...scope, ids });
    for (const { request_id } of there) found.add(request_id);
  }
  return found;
}

/** Parameters travel in the URL, which a server may bound at 16 KB. */
const maxParameterBytes = 10_000;

function* someIds(rows: string): Generator<readonly string[]> {
  let some: string[] = [];
  let size = 0;
  for (const row of rows.split('\n')) {
    const id = row === '' ? '' : requestIdOf(row);
    if (id === '') continue;
    const bytes = encodeURIComponent(id).length + 8;
    if (size + bytes > maxParameterBytes && some.length > 0) {
      yield some;
      [some, size] = [[], 0];
    }
    some.push(id);
    size += bytes;
  }
  if (some.length > 0) yield some;
}

function without(rows: string, there: ReadonlySet<string>, known: ReadonlySet<string>) {
  const all = rows.split('\n').filter((row) => row !== '');
  const missing = all.filter((row) => !there.has(lineOf(row)) && !(known.size > 0 && known.has(requestIdOf(row))));
  const dropped = all.length - missing.length;
  return { rows: missing.map((row) => `${row}\n`).join(''), lines: missing.map(lineOf).join(), dropped };
}

function hashOf(lines: string): string {
  return createHash('sha256').update(lines).digest('hex').slice(0, 16);
}
