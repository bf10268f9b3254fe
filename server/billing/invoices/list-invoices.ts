import { z } from 'zod';
import { parseInput, type Ctx } from '../../platform/index.ts';
import { mayHandleMoney } from './schemas.ts';
import { listInvoicesStatement, type InvoiceRow } from './sql/invoices.ts';

const input = z.object({
  limit: z.number().int().min(1).max(200).default(50),
  cursor: z
    .string()
    .regex(/^\d{1,17}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a cursor as a page before gave it')
    .optional(),
});
export type ListInvoicesInput = z.input<typeof input>;

/** The organisation's invoices and credit notes, newest first. Owner or admin. */
export async function listInvoices({ ctx, input: raw }: { ctx: Ctx; input: ListInvoicesInput }): Promise<{
  readonly items: readonly InvoiceRow[];
  readonly next: string | null;
}> {
  mayHandleMoney(ctx.principal);
  const { limit, cursor } = parseInput(input, raw);
  const { org_id } = ctx.principal;
  const [issued_us, invoice_id = ''] = cursor?.split('.') ?? [];
  const after = issued_us === undefined ? null : { issued_us: BigInt(issued_us), invoice_id };
  // One more than the page: whether there is a following one.
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<InvoiceRow>(listInvoicesStatement(org_id, after, limit + 1)),
  );
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return {
    items,
    next: rows.length > limit && last !== undefined ? `${last.issued_us}.${last.invoice_id}` : null,
  };
}
