import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import { parseInput, type Ctx } from '../platform/index.ts';
import { exportPage, walletHeads, type ExportedRow, type WalletHead } from './sql/statement.ts';
import { readRange, statementRange } from './statement-range.ts';

const input = statementRange.extend({ format: z.enum(['csv', 'ndjson']) });
export type ExportTransfersInput = z.input<typeof input>;

/** Rows looked at by one statement: what is in memory at a time, and how long a connection is held. */
const pageRows = 2_000n;

const columns = [
  'wallet', 'transfer', 'at', 'kind', 'reason', 'user', 'agent', 'model', 'run', 'hold', 'available_micro',
  'held_micro', 'debt_micro', 'issued_micro', 'spent_micro', 'expired_micro', 'moved_micro', 'balance_micro',
] as const satisfies readonly (keyof ExportedRow)[]; // prettier-ignore

/**
 * Every movement of the organisation's credits in a range, as text in pieces: page after page by (wallet, version), so
 * that a million cost no more memory than two thousand. It ends at what the wallets had when it began. Whether the plan
 * includes it is the caller's to ask. Throws before the first piece, or not because of the input.
 */
export async function exportTransfers({
  ctx,
  input: raw,
}: {
  ctx: Ctx;
  input: ExportTransfersInput;
}): Promise<AsyncIterable<string>> {
  const { format, ...asked } = parseInput(input, raw);
  const range = readRange(ctx, asked);
  const { postgres } = ctx.platform;
  const heads = await postgres.inOrg(range.org_id, (tx) => tx.rows<WalletHead>(walletHeads(range.org_id)));
  return pieces();

  async function* pieces(): AsyncGenerator<string> {
    if (format === 'csv') yield stringify([columns]);
    for (const { wallet_id, version } of heads) {
      for (let after = 0n; after < version; after += pageRows) {
        const upto = after + pageRows < version ? after + pageRows : version;
        const page = exportPage(range, wallet_id, after, upto);
        const rows = await postgres.inOrg(range.org_id, (tx) => tx.rows<ExportedRow>(page));
        if (rows.length > 0) yield format === 'csv' ? toCsv(rows) : toNdjson(rows);
      }
    }
  }
}

function toCsv(rows: readonly ExportedRow[]): string {
  const cells = rows.map((row) => columns.map((column) => cellOf(row[column])));
  // A reason that starts with = is text, not a formula of whoever opens the file. Amounts are ours, and stay negative.
  return stringify(cells);
}

function cellOf(value: ExportedRow[keyof ExportedRow]): string {
  if (value === null) return '';
  if (typeof value === 'string') return /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return wireOf(value);
}

function toNdjson(rows: readonly ExportedRow[]): string {
  const line = (row: ExportedRow): string =>
    JSON.stringify(
      Object.fromEntries(columns.map((column) => [column, column === 'wallet' ? row.wallet : ofJson(row[column])])),
    );
  return rows.map((row) => `${line(row)}\n`).join('');
}

const ofJson = (value: ExportedRow[keyof ExportedRow]): string | null =>
  value === null || typeof value === 'string' ? value : wireOf(value);

function wireOf(value: bigint | number | Date): string {
  return value instanceof Date ? value.toISOString() : value.toString();
}
