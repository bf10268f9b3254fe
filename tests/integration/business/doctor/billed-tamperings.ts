import type { Billed } from './billed.ts';

/** What somebody with the superuser's rights does to documents (`$1` the organisation, `$2` the invoice, `$3` its note). */
export interface BilledTampering {
  readonly what: string;
  readonly sql: readonly string[];
  readonly fault: string;
  readonly place: string;
  readonly key: (billed: Billed) => Readonly<Record<string, unknown>>;
  /** Null: no row tells. */
  readonly since: (billed: Billed) => string | null;
  /** Found when the whole installation is examined: the series belong to no organisation. */
  readonly series?: true;
}

const line = 'netra.invoice_line';
const invoice = 'netra.invoice';
const ofLine = (n: number): string => `org_id = $1 and invoice_id = $2 and line = ${n}`;
const keyOf = ({ invoice: invoice_id, number }: Billed): Readonly<Record<string, unknown>> => ({ invoice_id, number });
const lineKey =
  (n: number) =>
  (billed: Billed): Readonly<Record<string, unknown>> => ({ ...keyOf(billed), line: n });
const issued = ({ issued_at }: Billed): string => issued_at;
const looked = ({ looked_at }: Billed): string => looked_at;
const nothing = (): Readonly<Record<string, unknown>> => ({});

export const billedTamperings: readonly BilledTampering[] = [
  {
    what: 'the net of a line edited',
    sql: [`update netra.invoice_line set net_usd = net_usd - 0.01 where ${ofLine(2)}`],
    fault: 'line_altered',
    place: line,
    key: lineKey(2),
    since: issued,
  },
  {
    what: 'a line and the totals lowered together, with the rounding account',
    sql: [
      `update netra.invoice_line set exact_usd = 0, net_usd = 0, exact_tax_usd = 0, tax_usd = 0 where ${ofLine(2)}`,
      `delete from netra.rounding where ${ofLine(2)}`,
      `update netra.invoice i set net_usd = s.net, tax_usd = s.tax, total_usd = s.net + s.tax,
              due_usd = s.net + s.tax - i.prepaid_usd
         from (select sum(net_usd) as net, sum(tax_usd) as tax from netra.invoice_line where org_id = $1 and invoice_id = $2) s
        where i.org_id = $1 and i.invoice_id = $2`,
    ],
    fault: 'line_altered',
    place: line,
    key: lineKey(2),
    since: issued,
  },
  {
    what: 'the amount of a line of overage lowered, and everything made to agree with it but the ledger',
    sql: [
      `update netra.invoice_line set amount_micro = 0, quantity = 0, exact_usd = 0, net_usd = 0, exact_tax_usd = 0,
         tax_usd = 0 where ${ofLine(2)}`,
      `delete from netra.rounding where ${ofLine(2)}`,
      `update netra.invoice i set net_usd = s.net, tax_usd = s.tax, total_usd = s.net + s.tax,
              due_usd = s.net + s.tax - i.prepaid_usd
         from (select sum(net_usd) as net, sum(tax_usd) as tax from netra.invoice_line where org_id = $1 and invoice_id = $2) s
        where i.org_id = $1 and i.invoice_id = $2`,
      `update netra.invoice i set hash = netra.hash_document(i) where i.org_id = $1 and i.invoice_id = $2`,
    ],
    fault: 'overage_misbilled',
    place: 'netra.credit_grant',
    key: nothing,
    since: looked,
  },
  {
    what: 'the price of a line of the plan edited, its hash computed anew',
    sql: [
      `update netra.invoice_line set exact_usd = 200, net_usd = 200, exact_tax_usd = 42, tax_usd = 42 where ${ofLine(1)}`,
      `update netra.invoice i set hash = netra.hash_document(i) where i.org_id = $1 and i.invoice_id = $2`,
    ],
    fault: 'charge_misbilled',
    place: 'netra.subscription_charge',
    key: nothing,
    since: looked,
  },
  {
    what: 'the tax of a line edited',
    sql: [`update netra.invoice_line set tax_usd = 0, exact_tax_usd = 0 where ${ofLine(1)}`],
    fault: 'line_altered',
    place: line,
    key: lineKey(1),
    since: issued,
  },
  {
    what: 'the words of a line edited',
    sql: [`update netra.invoice_line set description = 'gift' where ${ofLine(1)}`],
    fault: 'document_altered',
    place: invoice,
    key: keyOf,
    since: issued,
  },
  {
    what: 'the buyer of an invoice replaced',
    sql: [
      `update netra.invoice set buyer = jsonb_set(buyer, '{name}', '"Other"') where org_id = $1 and invoice_id = $2`,
    ],
    fault: 'document_altered',
    place: invoice,
    key: keyOf,
    since: issued,
  },
  {
    what: 'the date of an invoice moved',
    sql: [`update netra.invoice set due_at = due_at + interval '1 year' where org_id = $1 and invoice_id = $2`],
    fault: 'document_altered',
    place: invoice,
    key: keyOf,
    since: issued,
  },
  {
    what: 'a line in the middle deleted',
    sql: [`delete from netra.rounding where ${ofLine(2)}`, `delete from netra.invoice_line where ${ofLine(2)}`],
    fault: 'line_missing',
    place: line,
    key: lineKey(2),
    since: issued,
  },
  {
    what: 'the last line deleted',
    sql: [`delete from netra.rounding where ${ofLine(4)}`, `delete from netra.invoice_line where ${ofLine(4)}`],
    fault: 'total_altered',
    place: invoice,
    key: keyOf,
    since: issued,
  },
  {
    what: 'a line added',
    sql: [
      `insert into netra.invoice_line (org_id, invoice_id, line, kind, description, exact_usd, net_usd, tax_rate, tax_name,
         tax_note, exact_tax_usd, tax_usd) values ($1, $2, 5, 'credit', 'fee', 1, 1, 0, 'VAT', '', 0, 0)`,
    ],
    fault: 'total_altered',
    place: invoice,
    key: keyOf,
    since: issued,
  },
  {
    what: 'the total of an invoice edited',
    sql: [
      `update netra.invoice set net_usd = net_usd - 100, total_usd = total_usd - 100, due_usd = due_usd - 100
        where org_id = $1 and invoice_id = $2`,
    ],
    fault: 'total_altered',
    place: invoice,
    key: keyOf,
    since: issued,
  },
  {
    what: 'the rounding account edited',
    sql: [
      `update netra.rounding set net_usd = 0.004 where org_id = $1 and invoice_id = $2
          and line = (select min(line) from netra.rounding where org_id = $1 and invoice_id = $2)`,
    ],
    fault: 'rounding_altered',
    place: 'netra.rounding',
    key: keyOf,
    since: issued,
  },
  {
    what: 'a row of the rounding account deleted',
    sql: [`delete from netra.rounding where org_id = $1 and invoice_id = $2`],
    fault: 'rounding_altered',
    place: 'netra.rounding',
    key: keyOf,
    since: issued,
  },
  {
    what: 'an invoice deleted, its lines left',
    sql: [
      `delete from netra.invoice where org_id = $1 and corrects = $2`,
      `delete from netra.invoice where org_id = $1`,
    ],
    fault: 'document_missing',
    place: invoice,
    key: ({ invoice: invoice_id }) => ({ invoice_id }),
    since: () => null,
  },
  {
    what: 'a credit note raised beyond the invoice',
    sql: [
      `update netra.invoice set net_usd = net_usd - 1000, total_usd = total_usd - 1000, due_usd = due_usd - 1000
        where org_id = $1 and invoice_id = $3`,
    ],
    fault: 'credited_too_much',
    place: invoice,
    key: keyOf,
    since: issued,
  },
  {
    what: 'an invoice called credited',
    sql: [`update netra.invoice set state = 'credited' where org_id = $1 and invoice_id = $2`],
    fault: 'state_altered',
    place: invoice,
    key: keyOf,
    since: issued,
  },
  {
    what: 'a paid purchase lowered',
    sql: [`update netra.credit_purchase set net_usd = net_usd - 1, total_usd = total_usd - 1 where org_id = $1`],
    fault: 'purchase_misbilled',
    place: 'netra.credit_purchase',
    key: nothing,
    since: looked,
  },
  {
    what: 'the price of a charge lowered',
    sql: [`update netra.subscription_charge set exact_usd = 1 where org_id = $1`],
    fault: 'charge_misbilled',
    place: 'netra.subscription_charge',
    key: nothing,
    since: looked,
  },
  {
    what: 'an invoice called paid that nobody paid',
    sql: [`update netra.invoice set state = 'paid', paid_at = now() where org_id = $1 and invoice_id = $2`],
    fault: 'invoice_unpaid',
    place: invoice,
    key: keyOf,
    since: () => null,
  },
  {
    what: 'the payment of a purchase deleted',
    sql: [`delete from netra.payment where org_id = $1`],
    fault: 'purchase_unpaid',
    place: 'netra.credit_purchase',
    key: nothing,
    since: () => null,
  },
  {
    what: 'a payment lowered',
    sql: [`update netra.payment set amount_usd = 1 where org_id = $1`],
    fault: 'purchase_unpaid',
    place: 'netra.credit_purchase',
    key: nothing,
    since: () => null,
  },
  {
    what: 'a payment sent back twice over',
    sql: [
      `insert into netra.payment (org_id, payment_id, kind, purchase_id, reverses, amount_usd, provider, provider_ref, recorded_by)
       select org_id, gen_random_uuid(), 'reversal', purchase_id, payment_id, -2 * amount_usd, provider, 'forged', 'me'
         from netra.payment where org_id = $1`,
    ],
    fault: 'payment_overused',
    place: 'netra.payment',
    key: nothing,
    since: () => null,
  },
  {
    what: 'an invoice deleted with its lines',
    sql: [
      `delete from netra.rounding where org_id = $1`,
      `delete from netra.invoice_line where org_id = $1`,
      `delete from netra.invoice where org_id = $1`,
    ],
    fault: 'number_missing',
    place: invoice,
    key: ({ number }) => ({ number }),
    since: () => null,
    series: true,
  },
  {
    what: 'an invoice renumbered',
    sql: [`update netra.invoice set number = 'INV-999999' where org_id = $1 and invoice_id = $2`],
    fault: 'number_altered',
    place: invoice,
    key: ({ number, invoice: invoice_id }) => ({ number, invoice_id }),
    since: issued,
    series: true,
  },
  {
    what: 'the counter of a series put back',
    sql: [`update netra.seller set invoices = invoices - 1 where $1::uuid is not null`],
    fault: 'series_altered',
    place: 'netra.seller',
    key: () => ({ seller_id: 'main', kind: 'invoice' }),
    since: issued,
    series: true,
  },
];
