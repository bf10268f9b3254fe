import type { Statement } from '../../../platform/index.ts';

/** Who sells. */
export interface SellerRow {
  readonly seller_id: string;
  readonly name: string;
  readonly address: string;
  readonly country: string;
  readonly tax_id: string | null;
  readonly number_prefix: string;
  readonly currency: string;
  readonly terms_days: number;
  readonly notes: string;
  readonly invoices: number;
  readonly credit_notes: number;
}

export type SellerTerms = Omit<SellerRow, 'currency' | 'invoices' | 'credit_notes'>;

export function setSellerStatement(seller: SellerTerms): Statement {
  return {
    text: 'select netra.set_seller($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [
      seller.seller_id,
      seller.name,
      seller.address,
      seller.country,
      seller.tax_id,
      seller.number_prefix,
      seller.terms_days,
      seller.notes,
    ],
  };
}

export function currentSellerStatement(): Statement {
  return {
    text: `select seller_id, name, address, country, tax_id, number_prefix, currency, terms_days, notes, invoices,
                  credit_notes
             from netra.seller where current`,
    values: [],
  };
}

/** Whom invoices are made out to. */
export interface ProfileRow {
  readonly name: string;
  readonly address: string;
  readonly country: string;
  readonly vat_id: string | null;
  readonly email: string | null;
}

export function setProfileStatement(org_id: string, profile: ProfileRow): Statement {
  return {
    text: 'select netra.set_billing_profile($1, $2, $3, $4, $5, $6)',
    values: [org_id, profile.name, profile.address, profile.country, profile.vat_id, profile.email],
  };
}

export function readProfileStatement(org_id: string): Statement {
  return {
    text: 'select name, address, country, vat_id, email from netra.billing_profile where org_id = $1',
    values: [org_id],
  };
}

/** A rate as it is kept: `rate` is a fraction, an exact decimal. */
export interface TaxRateRow {
  readonly country: string;
  readonly valid_from: string;
  readonly rate: string;
  readonly name: string;
  readonly eu: boolean;
  /** Who says so. */
  readonly source: string;
  /** When somebody compared it with the law; null = nobody has. */
  readonly checked_on: string | null;
}

export function listTaxRatesStatement(): Statement {
  return {
    text: `select country, to_char(valid_from, 'YYYY-MM-DD') as valid_from, rate::text as rate, name, eu, source,
                  to_char(checked_on, 'YYYY-MM-DD') as checked_on
             from netra.tax_rate order by country, tax_rate.valid_from`,
    values: [],
  };
}

export function importTaxRatesStatement(rates: readonly TaxRateRow[]): Statement {
  return { text: 'select netra.import_tax_rates($1::jsonb) as changed', values: [JSON.stringify(rates)] };
}
