import type { Statement } from '../../../platform/index.ts';

export type InvoiceKind = 'invoice' | 'credit_note';
export type InvoiceState = 'open' | 'paid' | 'credited' | 'issued';

/** A document without its lines. Amounts are exact decimals in dollars; a credit note's are negative. */
export interface InvoiceRow {
  readonly invoice_id: string;
  readonly kind: InvoiceKind;
  readonly number: string;
  readonly state: InvoiceState;
  readonly issued_at: Date;
  readonly due_at: Date;
  readonly paid_at: Date | null;
  readonly period_start: Date | null;
  readonly period_end: Date | null;
  /** A credit note's: the number of the invoice that it corrects. */
  readonly corrects: string | null;
  readonly reason: string | null;
  readonly currency: string;
  readonly net_usd: string;
  readonly tax_usd: string;
  readonly total_usd: string;
  readonly prepaid_usd: string;
  readonly due_usd: string;
  /** What credit notes took back of it. */
  readonly credited_usd: string;
  /** For the cursor: microseconds since 1970, which a Date does not hold. */
  readonly issued_us: bigint;
}

export interface Party {
  readonly name: string;
  readonly address: string | null;
  readonly country: string | null;
}
export interface Parties {
  readonly seller: Party & { readonly tax_id: string | null; readonly notes: string };
  readonly buyer: Party & { readonly vat_id: string | null; readonly email: string | null };
}

export interface InvoiceLineRow {
  readonly line: number;
  readonly kind: 'base' | 'upgrade' | 'overage' | 'purchase' | 'credit';
  readonly description: string;
  readonly quantity: string | null;
  readonly unit_usd: string | null;
  readonly exact_usd: string;
  readonly net_usd: string;
  /** A fraction: 0.2100 is 21 %. */
  readonly tax_rate: string;
  readonly tax_name: string;
  readonly tax_note: string;
  readonly tax_usd: string;
  readonly agent: string | null;
}

const columns = `i.invoice_id, i.kind, i.number, i.state, i.issued_at, i.due_at, i.paid_at, i.period_start, i.period_end,
  (select c.number from netra.invoice c where c.org_id = i.org_id and c.invoice_id = i.corrects) as corrects, i.reason,
  i.currency, i.net_usd::text, i.tax_usd::text, i.total_usd::text, i.prepaid_usd::text, i.due_usd::text,
  (select coalesce(-sum(c.total_usd), 0.00)::text from netra.invoice c
    where c.org_id = i.org_id and c.corrects = i.invoice_id) as credited_usd,
  (extract(epoch from i.issued_at) * 1000000)::bigint as issued_us`;

/** Newest first, from behind the document that the cursor names. */
export function listInvoicesStatement(
  org_id: string,
  after: { readonly issued_us: bigint; readonly invoice_id: string } | null,
  limit: number,
): Statement {
  return {
    text: `select ${columns} from netra.invoice i
            where i.org_id = $1
              and ($2::bigint is null
                   or (i.issued_at, i.invoice_id) < ('epoch'::timestamptz + $2 * interval '1 microsecond', $3::uuid))
            order by i.issued_at desc, i.invoice_id desc limit $4`,
    values: [org_id, after?.issued_us ?? null, after?.invoice_id ?? null, limit],
  };
}

export function readInvoiceStatement(org_id: string, invoice_id: string): Statement {
  return {
    text: `select ${columns}, i.seller, i.buyer from netra.invoice i where i.org_id = $1 and i.invoice_id = $2`,
    values: [org_id, invoice_id],
  };
}

export function readLinesStatement(org_id: string, invoice_id: string): Statement {
  return {
    text: `select line, kind, description, trim_scale(quantity)::text as quantity, trim_scale(unit_usd)::text as unit_usd,
                  trim_scale(exact_usd)::text as exact_usd, net_usd::text, tax_rate::text, tax_name, tax_note,
                  tax_usd::text, agent
             from netra.invoice_line where org_id = $1 and invoice_id = $2 order by line`,
    values: [org_id, invoice_id],
  };
}

export function orgsToInvoiceStatement(limit: number): Statement {
  return { text: 'select org_id from netra.orgs_to_invoice($1)', values: [limit] };
}

/** A period that was dealt with; `number` is null where there was nothing to bill. */
export interface Issued {
  readonly invoice_id: string | null;
  readonly number: string | null;
  readonly period_end: Date;
  readonly total_usd: string | null;
}

export function issueInvoiceStatement(org_id: string): Statement {
  return {
    text: 'select invoice_id, number, period_end, total_usd::text from netra.issue_invoice($1)',
    values: [org_id],
  };
}

export interface Credited {
  readonly invoice_id: string;
  readonly number: string;
  readonly total_usd: string;
}

export function creditInvoiceStatement(credit: {
  readonly org_id: string;
  readonly invoice_id: string;
  readonly note_id: string;
  readonly lines: readonly { readonly line: number; readonly net_usd?: string | undefined }[] | null;
  readonly net_usd: string | null;
  readonly reason: string;
}): Statement {
  return {
    text: `select invoice_id, number, total_usd::text
             from netra.credit_invoice($1, $2, $3, $4::jsonb, $5::numeric, $6)`,
    values: [
      credit.org_id,
      credit.invoice_id,
      credit.note_id,
      credit.lines === null ? null : JSON.stringify(credit.lines),
      credit.net_usd,
      credit.reason,
    ],
  };
}

/** A document as an operator finds it. */
export interface FoundInvoice {
  readonly org_id: string;
  readonly invoice_id: string;
  readonly number: string;
  readonly kind: InvoiceKind;
  readonly state: InvoiceState;
  readonly issued_at: Date;
  readonly due_at: Date;
  readonly total_usd: string;
  readonly due_usd: string;
  readonly buyer_name: string;
}

export function findInvoicesStatement(
  number: string | null,
  org_id: string | null,
  state: InvoiceState | null,
  limit: number,
): Statement {
  return {
    text: `select org_id, invoice_id, number, kind, state, issued_at, due_at, total_usd::text, due_usd::text, buyer_name
             from netra.find_invoices($1, $2, $3, $4)`,
    values: [number, org_id, state, limit],
  };
}
