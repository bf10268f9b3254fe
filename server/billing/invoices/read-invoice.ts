import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { parseInput, type Ctx } from '../../platform/index.ts';
import { mayHandleMoney, uuid } from './schemas.ts';
import {
  readInvoiceStatement,
  readLinesStatement,
  type InvoiceLineRow,
  type InvoiceRow,
  type Parties,
} from './sql/invoices.ts';

const input = z.object({ invoice_id: uuid });
export type ReadInvoiceInput = z.input<typeof input>;

/** An invoice or credit note, whole. */
export interface Invoice extends InvoiceRow, Parties {
  readonly lines: readonly InvoiceLineRow[];
}

/** One document with its lines. Owner or admin. Throws `forbidden`, `not_found`. */
export async function readInvoice({ ctx, input: raw }: { ctx: Ctx; input: ReadInvoiceInput }): Promise<Invoice> {
  mayHandleMoney(ctx.principal);
  const { invoice_id } = parseInput(input, raw);
  const { org_id } = ctx.principal;
  return ctx.platform.postgres.inOrg(org_id, async (tx) => {
    const [invoice] = await tx.rows<InvoiceRow & Parties>(readInvoiceStatement(org_id, invoice_id));
    if (invoice === undefined) throw new NetraError('not_found', 'There is no such invoice.');
    return { ...invoice, lines: await tx.rows<InvoiceLineRow>(readLinesStatement(org_id, invoice_id)) };
  });
}
