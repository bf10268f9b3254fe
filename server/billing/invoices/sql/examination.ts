import type { Scope, Statement } from '../../../platform/index.ts';

/**
 * M5 over all organisations, the series of numbers included; or, `seen`, over what the caller sees: the tenant that the
 * transaction has entered. At most `limit` rows.
 */
export function checkBillingStatement(scope: Scope, limit: number): Statement {
  const seen = scope === 'seen' ? 'seen_' : '';
  return {
    text: `select org_id, invariant, what, expected, found from netra.check_${seen}invoices()
           union all
           select org_id, invariant, what, expected, found from netra.check_${seen}payments()
            order by 1, 3 limit $1`,
    values: [limit],
  };
}

/** The documents alone. */
export function checkInvoicesStatement(): Statement {
  return {
    text: 'select org_id, invariant, what, expected, found from netra.check_invoices() order by 1, 3',
    values: [],
  };
}

/** Rows at fault in the documents and payments of the organisation that the transaction has entered; `limit` of each kind. */
export function explainBillingStatement(org_id: string, limit: number): Statement {
  return {
    text: `select invariant, fault, place, key, since, expected, found, "of" from netra.explain_invoices($1, $2)
           union all
           select invariant, fault, place, key, since, expected, found, "of" from netra.explain_payments($1, $2)`,
    values: [org_id, limit],
  };
}

export function explainSeriesStatement(limit: number): Statement {
  return {
    text: 'select invariant, fault, place, key, since, expected, found, "of" from netra.explain_series($1)',
    values: [limit],
  };
}
