import { randomUUID } from 'node:crypto';
import { creditInvoice, issueInvoices, setSeller, writeBillingProfile } from '../../../../server/billing/index.ts';
import { placeHold, settleHold } from '../../../../server/ledger/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { subscribe } from '../../../../server/plans/index.ts';
import type { LedgerNode } from '../../ledger-node.ts';
import { ageSubscription } from '../age-subscription.ts';

/** An organisation with a document of every kind, and when each was issued. */
export interface Billed {
  readonly org_id: string;
  /** Base, two agents' overage and a purchase. */
  readonly invoice: string;
  readonly number: string;
  readonly issued_at: string;
  /** 5.00 of its first line, given back. */
  readonly note: string;
  readonly noted_at: string;
  /** When the organisation was last looked at for something to bill. */
  readonly looked_at: string;
}

/** On the enterprise plan: spends beyond it, buys credits, is invoiced for the closed period, and gets a credit note. */
export async function newBilled(node: LedgerNode): Promise<Billed> {
  const seller = { name: 'Seller B.V.', address: 'Damrak 1', country: 'NL', number_prefix: 'INV' };
  await setSeller({ platform: node.platform, input: seller });
  const ctx = await node.newOrg();
  const { org_id } = ctx.principal;
  await writeBillingProfile({ ctx, input: { name: 'Buyer', address: 'Street 1', country: 'NL' } });
  await subscribe({ ctx, input: { plan: 'enterprise' } });
  await spend(ctx, 25_000_000_000n, 'research');
  await spend(ctx, 100_123_457n, 'data');
  await spend(ctx, 70_000_000n, 'triage');
  await buy(node, org_id);
  await ageSubscription(node, ctx, { periods: 1 });
  const [first] = await issueInvoices({ platform: node.platform, org_id });
  const invoice = first?.invoice_id ?? '';
  const note = await creditInvoice({
    ctx,
    input: { invoice_id: invoice, lines: [{ line: 1, net_usd: '5.00' }], reason: 'outage' },
  });
  const issued = await node.owner<{ invoice_id: string; issued_at: Date }>(
    'select invoice_id, issued_at from netra.invoice where org_id = $1',
    [org_id],
  );
  const at = (id: string): string => issued.find(({ invoice_id }) => invoice_id === id)?.issued_at.toISOString() ?? '';
  // An hour has passed since: what moved just before a look is not compared with it.
  const [looked] = await node.owner<{ invoiced_at: Date }>(
    "update netra.invoice_schedule set invoiced_at = invoiced_at + interval '2 hours' where org_id = $1 returning invoiced_at",
    [org_id],
  );
  return {
    org_id,
    invoice,
    number: first?.number ?? '',
    issued_at: at(invoice),
    note: note.invoice_id,
    noted_at: at(note.invoice_id),
    looked_at: looked?.invoiced_at.toISOString() ?? '',
  };
}

async function spend(ctx: Ctx, amount_micro: bigint, agent: string): Promise<void> {
  const key = randomUUID();
  const { hold_id } = await placeHold({
    ctx,
    input: { amount_micro, reason: 'run', agent, run_id: randomUUID(), key },
  });
  await settleHold({ ctx, input: { hold_id, capture_micro: amount_micro, reason: 'run', key } });
}

async function buy(node: LedgerNode, org_id: string): Promise<void> {
  const purchase = randomUUID();
  const values = [org_id, purchase];
  const run = (text: string) => node.platform.postgres.call({ text, values });
  await run("select netra.open_purchase($1, $2, 'small', now(), 'manual', null, null, 'me', 'first')");
  await run("select * from netra.settle_purchase($1, $2, 'manual', 'bank 1', 12.10, 'me', '')");
  await node.owner("update netra.credit_purchase set paid_at = now() - interval '1 day' where purchase_id = $1", [
    purchase,
  ]);
}
