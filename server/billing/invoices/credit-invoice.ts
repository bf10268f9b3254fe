import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../../platform/index.ts';
import { cents, mayHandleMoney, uuid } from './schemas.ts';
import { creditInvoiceStatement, type Credited } from './sql/invoices.ts';

const input = z.object({
  invoice_id: uuid,
  /** Lines to correct; one without an amount is taken back whole. Or `net_usd`, taken from the lines in their order. */
  lines: z
    .array(z.object({ line: z.number().int().positive(), net_usd: cents.optional() }))
    .min(1)
    .max(1000)
    .nullable()
    .default(null),
  net_usd: cents.nullable().default(null),
  reason: z.string().trim().min(1).max(500),
});
export type CreditInvoiceInput = z.input<typeof input>;

/**
 * Corrects an issued invoice by a credit note of its own number. For operators: no route leads here. Amounts are before
 * tax, whose share follows. Throws `not_found`, and `conflict` where a line or the invoice has less left than is asked.
 */
export async function creditInvoice({ ctx, input: raw }: { ctx: Ctx; input: CreditInvoiceInput }): Promise<Credited> {
  mayHandleMoney(ctx.principal);
  const { org_id } = ctx.principal;
  // The note's id is made once: a retry of the transaction below answers with the note that is there.
  const credit = { org_id, note_id: ctx.platform.ids.uuid(), ...parseInput(input, raw) };
  return oneRow(await ctx.platform.postgres.call<Credited>(creditInvoiceStatement(credit)));
}
