import type { Statement } from '../../../platform/index.ts';

export interface PackRow {
  readonly pack_id: string;
  readonly valid_from: Date;
  readonly name: string;
  readonly credits_micro: bigint;
  readonly price_usd: string;
}

export function listPacksStatement(): Statement {
  return {
    text: `select pack_id, valid_from, name, credits_micro, price_usd::text as price_usd
             from netra.packs_on_sale(now())`,
    values: [],
  };
}

export interface PackTerms {
  readonly pack: string;
  readonly valid_from: Date;
  readonly name: string;
  readonly credits_micro: bigint;
  readonly price_usd: string;
  readonly on_sale: boolean;
}

export function keepPackStatement(pack: PackTerms): Statement {
  return {
    text: 'select netra.keep_pack($1, $2, $3, $4, $5, $6) as kept',
    values: [pack.pack, pack.valid_from, pack.name, pack.credits_micro, pack.price_usd, pack.on_sale],
  };
}

/** `known`: the key has made this purchase before; the rest is then what it was made at. */
export interface PurchaseQuote {
  readonly known: boolean;
  readonly purchase_id: string;
  readonly quoted_us: bigint;
  readonly pack_name: string;
  readonly total_usd: string;
  readonly tax_name: string;
  readonly org_name: string;
  readonly customer_ref: string | null;
}

export function quotePurchaseStatement(
  org_id: string,
  purchase_id: string,
  pack: string,
  provider: string,
  key: string,
): Statement {
  return {
    // Microseconds: a Date would forget them, and the terms are those of that very moment.
    text: `select known, purchase_id, (extract(epoch from quoted_at) * 1000000)::bigint as quoted_us, pack_name,
                  total_usd, tax_name, org_name, customer_ref
             from netra.quote_purchase($1, $2, $3, $4, $5)`,
    values: [org_id, purchase_id, pack, provider, key],
  };
}

export interface NewPurchase {
  readonly org_id: string;
  readonly purchase_id: string;
  readonly pack: string;
  readonly quoted_us: bigint;
  readonly provider: string;
  readonly provider_ref: string | null;
  readonly pay_url: string | null;
  readonly created_by: string;
  readonly key: string;
}

export function openPurchaseStatement(purchase: NewPurchase): Statement {
  const { org_id, purchase_id, pack, quoted_us, provider, provider_ref, pay_url, created_by, key } = purchase;
  return {
    text: `select netra.open_purchase($1, $2, $3, to_timestamp(0) + $4::bigint * interval '1 microsecond', $5, $6, $7,
                                      $8, $9) as purchase_id`,
    values: [org_id, purchase_id, pack, quoted_us, provider, provider_ref, pay_url, created_by, key],
  };
}

export function keepCustomerStatement(org_id: string, provider: string, customer_ref: string): Statement {
  return {
    text: 'select netra.keep_payment_customer($1, $2, $3) as customer_ref',
    values: [org_id, provider, customer_ref],
  };
}

export type PurchaseState = 'pending' | 'paid' | 'cancelled' | 'refunded';

export interface PurchaseRow {
  readonly purchase_id: string;
  readonly org_id: string;
  readonly pack_id: string;
  readonly credits_micro: bigint;
  readonly net_usd: string;
  readonly tax_rate: string;
  readonly tax_name: string;
  readonly tax_note: string;
  readonly tax_usd: string;
  readonly total_usd: string;
  readonly state: PurchaseState;
  readonly provider: string;
  readonly provider_ref: string | null;
  readonly pay_url: string | null;
  /** How to pay where there is no page: the words of whoever sells. */
  readonly instructions: string | null;
  readonly created_at: Date;
  readonly paid_at: Date | null;
  readonly ended_at: Date | null;
  readonly revoked_micro: bigint | null;
  /** A place in the list. */
  readonly created_us: bigint;
}

const columns = `c.purchase_id, c.org_id, c.pack_id, c.credits_micro, c.net_usd::text as net_usd,
  trim_scale(c.tax_rate)::text as tax_rate, c.tax_name, c.tax_note, c.tax_usd::text as tax_usd,
  c.total_usd::text as total_usd, c.state, c.provider, c.provider_ref,
  case c.state when 'pending' then c.pay_url end as pay_url,
  case when c.state = 'pending' and c.provider = 'manual'
       then coalesce((select nullif(s.notes, '') from netra.seller s where s.current), 'Ask whoever runs this service.')
  end as instructions,
  c.created_at, c.paid_at, c.ended_at, c.revoked_micro,
  (extract(epoch from c.created_at) * 1000000)::bigint as created_us`;

export function readPurchaseStatement(org_id: string, purchase_id: string): Statement {
  return {
    text: `select ${columns} from netra.credit_purchase c where c.org_id = $1 and c.purchase_id = $2`,
    values: [org_id, purchase_id],
  };
}

export function listPurchasesStatement(
  org_id: string,
  after: { readonly created_us: bigint; readonly purchase_id: string } | null,
  limit: number,
): Statement {
  return {
    text: `select ${columns} from netra.credit_purchase c
            where c.org_id = $1 and ($2::bigint is null or (c.created_at, c.purchase_id)
                  < (to_timestamp(0) + $2::bigint * interval '1 microsecond', $3::uuid))
            order by c.created_at desc, c.purchase_id desc limit $4`,
    values: [org_id, after?.created_us ?? null, after?.purchase_id ?? null, limit],
  };
}

export function cancelPurchaseStatement(org_id: string, purchase_id: string): Statement {
  return { text: 'select netra.cancel_purchase($1, $2) as cancelled', values: [org_id, purchase_id] };
}

export function orgOfPurchaseStatement(purchase_id: string): Statement {
  return { text: 'select netra.org_of_purchase($1) as org_id', values: [purchase_id] };
}

/** Purchases of every organisation, for the operator. */
export function findPurchasesStatement(state: PurchaseState | null, limit: number): Statement {
  return { text: `select ${columns} from netra.list_purchases($1, $2) c`, values: [state, limit] };
}
