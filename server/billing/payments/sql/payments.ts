import type { Statement } from '../../../platform/index.ts';

export interface PurchaseSettled {
  /** False: it was paid before, and nothing was granted now. */
  readonly settled: boolean;
  readonly grant_id: string;
  /** The payment that paid it. */
  readonly payment_ref: string;
}

export interface Received {
  readonly org_id: string;
  readonly provider: string;
  readonly provider_ref: string;
  readonly amount_usd: string;
  readonly by: string;
  readonly note: string;
}

export function settlePurchaseStatement(purchase_id: string, money: Received): Statement {
  return {
    text: 'select settled, grant_id, payment_ref from netra.settle_purchase($1, $2, $3, $4, $5, $6, $7)',
    values: [money.org_id, purchase_id, money.provider, money.provider_ref, money.amount_usd, money.by, money.note],
  };
}

export interface RefundBegun {
  readonly revoked_micro: bigint;
  readonly total_usd: string;
  readonly provider: string;
  readonly payment_ref: string;
  readonly refunded: boolean;
}

export function beginRefundStatement(org_id: string, purchase_id: string, reason: string): Statement {
  return {
    text: `select revoked_micro, total_usd, provider, payment_ref, refunded from netra.begin_refund($1, $2, $3)`,
    values: [org_id, purchase_id, reason],
  };
}

export function finishRefundStatement(
  org_id: string,
  purchase_id: string,
  ref: string,
  by: string,
  note: string,
): Statement {
  return {
    text: 'select netra.finish_refund($1, $2, $3, $4, $5) as finished',
    values: [org_id, purchase_id, ref, by, note],
  };
}

export interface PaymentRecorded {
  /** False: this reference was recorded before. */
  readonly recorded: boolean;
  readonly state: string;
  /** What is still to pay; below zero = paid too much. */
  readonly balance_usd: string;
}

export function recordPaymentStatement(invoice_id: string, money: Received): Statement {
  return {
    text: 'select recorded, state, balance_usd from netra.record_payment($1, $2, $3, $4, $5, $6, $7)',
    values: [money.org_id, invoice_id, money.amount_usd, money.provider, money.provider_ref, money.by, money.note],
  };
}

export interface PaymentRow {
  readonly payment_id: string;
  readonly kind: 'payment' | 'reversal';
  readonly purchase_id: string | null;
  readonly invoice_id: string | null;
  readonly checkout_id: string | null;
  readonly amount_usd: string;
  readonly provider: string;
  readonly provider_ref: string;
  readonly note: string;
  readonly recorded_at: Date;
  /** A place in the list. */
  readonly recorded_us: bigint;
}

export function listPaymentsStatement(
  org_id: string,
  after: { readonly recorded_us: bigint; readonly payment_id: string } | null,
  limit: number,
): Statement {
  return {
    text: `select y.payment_id, y.kind, y.purchase_id, y.invoice_id, y.checkout_id, y.amount_usd::text as amount_usd, y.provider,
                  y.provider_ref, y.note, y.recorded_at,
                  (extract(epoch from y.recorded_at) * 1000000)::bigint as recorded_us
             from netra.payment y
            where y.org_id = $1 and ($2::bigint is null or (y.recorded_at, y.payment_id)
                  < (to_timestamp(0) + $2::bigint * interval '1 microsecond', $3::uuid))
            order by y.recorded_at desc, y.payment_id desc limit $4`,
    values: [org_id, after?.recorded_us ?? null, after?.payment_id ?? null, limit],
  };
}

export interface FoundPayment {
  readonly org_id: string;
  readonly payment_id: string;
  readonly kind: 'payment' | 'reversal';
  readonly purchase_id: string | null;
  readonly invoice_id: string | null;
  readonly checkout_id: string | null;
  readonly amount_usd: string;
  readonly provider: string;
  readonly provider_ref: string;
  readonly note: string;
  readonly recorded_by: string;
  readonly recorded_at: Date;
}

/** For the operator. A null id = all, newest first. */
export function findPaymentsStatement(payment_id: string | null, limit: number): Statement {
  return {
    text: `select y.org_id, y.payment_id, y.kind, y.purchase_id, y.invoice_id, y.checkout_id,
                  y.amount_usd::text as amount_usd, y.provider, y.provider_ref, y.note, y.recorded_by, y.recorded_at
             from netra.list_payments($1, $2) y`,
    values: [payment_id, limit],
  };
}

export interface Reversed {
  readonly org_id: string;
  readonly amount_usd: string;
  readonly reference: string;
  readonly by: string;
  readonly note: string;
}

export function reversePaymentStatement(payment_id: string, money: Reversed): Statement {
  return {
    text: 'select netra.reverse_payment($1, $2, $3, $4, $5, $6) as reversed',
    values: [money.org_id, payment_id, money.amount_usd, money.reference, money.by, money.note],
  };
}

/** What an invoice has left to pay, and who pays. */
export interface InvoiceToPay {
  readonly balance_usd: string;
  readonly org_name: string;
  readonly customer_ref: string | null;
  /** The words of whoever sells. */
  readonly notes: string | null;
}

export function invoiceToPayStatement(org_id: string, invoice_id: string, provider: string): Statement {
  return {
    text: `select netra.invoice_balance($1, $2)::text as balance_usd, o.name as org_name, c.customer_ref,
                  (select nullif(s.notes, '') from netra.seller s where s.current) as notes
             from netra.org o
             left join netra.payment_customer c on c.org_id = o.org_id and c.provider = $3
            where o.org_id = $1`,
    values: [org_id, invoice_id, provider],
  };
}

export function checkPaymentsStatement(): Statement {
  return { text: 'select org_id, invariant, what, expected, found from netra.check_payments()', values: [] };
}
