import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { oneRow, parseInput, type Ctx } from '../../platform/index.ts';
import { readInvoice } from '../invoices/index.ts';
import { openPage } from './open-page.ts';
import { providerOf } from './provider.ts';
import { idempotencyKey, idOfKey, requirePayer } from './schemas.ts';
import { invoiceToPayStatement, type InvoiceToPay } from './sql/payments.ts';

const input = z.object({ invoice_id: z.uuid(), key: idempotencyKey });

export interface InvoicePage {
  readonly invoice_id: string;
  /** What is still to pay. */
  readonly balance_usd: string;
  readonly pay_url: string | null;
  /** How to pay where there is no page. */
  readonly instructions: string | null;
}

/**
 * Where to pay what an invoice has left. Nothing is written: the invoice is paid when the provider or the operator says
 * that the money has come. The same key while the same is left is the same page. Throws `forbidden`, `not_found`,
 * `conflict` where nothing is left to pay, and `unavailable` when the provider cannot be asked.
 */
export async function payInvoice({
  ctx,
  input: raw,
}: {
  ctx: Ctx;
  input: z.input<typeof input>;
}): Promise<InvoicePage> {
  requirePayer(ctx);
  const { invoice_id, key } = parseInput(input, raw);
  const { platform, principal } = ctx;
  const { org_id } = principal;
  const { number, state } = await readInvoice({ ctx, input: { invoice_id } });
  const provider = await providerOf(platform);
  const asked = invoiceToPayStatement(org_id, invoice_id, provider.name);
  const due = oneRow(await platform.postgres.inOrg(org_id, (tx) => tx.rows<InvoiceToPay>(asked)));
  const { balance_usd, org_name, customer_ref, notes } = due;
  if (state !== 'open') throw new NetraError('conflict', `Nothing is to be paid: ${number} is ${state}.`, { state });
  if (provider.name === 'manual') {
    return { invoice_id, balance_usd, pay_url: null, instructions: notes ?? 'Ask whoever runs this service.' };
  }
  const { pay_url } = await openPage(platform, provider, {
    of: 'invoice',
    id: invoice_id,
    request: idOfKey(org_id, `invoice ${invoice_id} ${balance_usd}`, key),
    org_id,
    org_name,
    title: `Invoice ${number}`,
    total_usd: balance_usd,
    tax_name: null,
    customer_ref,
  });
  return { invoice_id, balance_usd, pay_url, instructions: null };
}
