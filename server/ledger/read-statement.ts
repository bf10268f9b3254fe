import { z } from 'zod';
import { parseInput, type Ctx } from '../platform/index.ts';
import {
  statementPage,
  type StatementBy,
  type StatementFigures,
  type StatementPageRow,
  type StatementRow,
} from './sql/statement.ts';
import { readRange, statementRange } from './statement-range.ts';

const input = statementRange.extend({
  by: z.enum(['organisation', 'user', 'agent', 'model', 'day']).default('organisation'),
  limit: z.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(512).optional(),
});
export type ReadStatementInput = z.input<typeof input>;

export interface CostStatement {
  readonly by: StatementBy;
  readonly from: Date | null;
  readonly to: Date;
  readonly total: StatementFigures;
  readonly items: readonly StatementRow[];
  readonly next: string | null;
}

/**
 * What the organisation spent in a range, from the ledger, by whom or what: fees and model costs apart, refunds counted
 * against them. The lines add up to `total`, whatever they are by. Every role reads the whole organisation's, as with
 * transfers. A page's cursor names its range's end, so that the pages of one statement are of the same range.
 */
export async function readStatement({
  ctx,
  input: raw,
}: {
  ctx: Ctx;
  input: ReadStatementInput;
}): Promise<CostStatement> {
  const { by, limit, cursor, ...asked } = parseInput(input, raw);
  const place = cursor === undefined ? null : readCursor(cursor);
  const range = readRange(ctx, place === null ? asked : { ...asked, to: place.to });
  const found = await ctx.platform.postgres.inOrg(range.org_id, (tx) =>
    tx.rows<StatementPageRow>(statementPage(range, by, place?.after ?? null, limit + 1)),
  );
  const rows = found.filter(({ is_line }) => is_line);
  const items = rows.slice(0, limit);
  const last = items.at(-1)?.of ?? null;
  // What has no name is one line, and the last.
  const next = rows.length > limit && last !== null ? writeCursor({ to: range.to.toISOString(), after: last }) : null;
  return { by, from: range.from, to: range.to, total: totalOf(found), items, next };
}

function totalOf([row]: readonly StatementPageRow[]): StatementFigures {
  if (row === undefined) throw new Error('a statement has its total on each row, and at least one');
  return {
    fee_micro: row.total_fee_micro,
    model_micro: row.total_model_micro,
    refunded_micro: row.total_refunded_micro,
    spent_micro: row.total_spent_micro,
  };
}

const cursorShape = z.object({ to: z.iso.datetime(), after: z.string().max(300) });

function writeCursor(place: z.infer<typeof cursorShape>): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

function readCursor(cursor: string): z.infer<typeof cursorShape> {
  return parseInput(z.object({ cursor: jsonText.pipe(cursorShape) }), { cursor }).cursor;
}

const jsonText = z.string().transform((text, check): unknown => {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    check.addIssue({ code: 'custom', message: 'a cursor as a page before gave it' });
    return z.NEVER;
  }
});
