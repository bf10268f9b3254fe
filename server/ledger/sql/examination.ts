import type { Scope, Statement } from '../../platform/index.ts';

/**
 * M1–M3 over all organisations; or, `seen`, over what the caller sees: the tenant that the transaction has entered. At
 * most `limit` rows.
 */
export function checkBooksStatement(scope: Scope, limit: number): Statement {
  const seen = scope === 'seen' ? 'seen_' : '';
  return {
    text: `select org_id, invariant, what, expected, found from netra.check_${seen}books()
           union all
           select org_id, invariant, what, expected, found from netra.check_${seen}run_holds()
            order by 1, 2, 3 limit $1`,
    values: [limit],
  };
}

/** The chains of the wallets; scope as above. */
export function checkChainStatement(scope: Scope, limit: number): Statement {
  const check = scope === 'seen' ? 'check_seen_chain' : 'check_chain';
  return {
    text: `select org_id, invariant, what, expected, found from netra.${check}() order by 1, 3 limit $1`,
    values: [limit],
  };
}

export function hasOrgStatement(org_id: string): Statement {
  return { text: 'select from netra.org where org_id = $1', values: [org_id] };
}

/** Rows at fault in the books of the organisation that the transaction has entered; the first `limit` of each kind. */
export function explainBooksStatement(org_id: string, limit: number): Statement {
  return {
    text: `select invariant, fault, place, key, since, expected, found, "of" from netra.explain_books($1, $2)`,
    values: [org_id, limit],
  };
}
