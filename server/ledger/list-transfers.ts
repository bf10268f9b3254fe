import { z } from 'zod';
import { parseInput, type Ctx } from '../platform/index.ts';
import { listTransfersStatement, type TransferKind, type TransferRow } from './sql/reads.ts';

const input = z.object({
  limit: z.number().int().min(1).max(200).default(50),
  cursor: z
    .string()
    .regex(/^[1-9]\d{0,18}$/, 'a cursor as a page before gave it')
    .optional(),
});
export type ListTransfersInput = z.input<typeof input>;

export interface Transfer {
  /** Its place in the history: 1 is the organisation's first movement, and none is missing. */
  readonly transfer: string;
  readonly at: Date;
  readonly kind: TransferKind;
  /** What it did to the balance: all of them add up to it. */
  readonly amount_micro: bigint;
  readonly held_micro: bigint;
  readonly spent_micro: bigint;
  readonly balance_micro: bigint;
  readonly reason: string;
  readonly agent: string | null;
  readonly run: string | null;
}

/** Every movement of the organisation's credits, newest first. */
export async function listTransfers({ ctx, input: raw }: { ctx: Ctx; input: ListTransfersInput }): Promise<{
  readonly items: readonly Transfer[];
  readonly next: string | null;
}> {
  const { limit, cursor } = parseInput(input, raw);
  const { org_id } = ctx.principal;
  const before = cursor === undefined ? null : BigInt(cursor);
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<TransferRow>(listTransfersStatement(org_id, before, limit)),
  );
  const last = rows.at(-1);
  return {
    items: rows.map(toTransfer),
    // Versions are dense from 1: a page that ends above 1 has a following one.
    next: last === undefined || last.version === 1n ? null : last.version.toString(),
  };
}

function toTransfer(row: TransferRow): Transfer {
  return {
    transfer: row.version.toString(),
    at: row.at,
    kind: row.kind,
    amount_micro: row.available_micro,
    held_micro: row.held_micro,
    spent_micro: row.spent_micro,
    balance_micro: row.available_after_micro,
    reason: row.reason,
    agent: row.agent,
    run: row.run_id,
  };
}
