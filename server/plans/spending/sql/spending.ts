import type { Statement } from '../../../platform/index.ts';

/** The caps, what counts towards them in the current period, and the line beyond the credits. */
export interface SpendingRow {
  readonly period_start: Date;
  readonly period_end: Date;
  readonly overage: 'stop' | 'cap' | 'soft';
  readonly usd_credit: string | null;
  readonly overage_used_micro: bigint;
  readonly overage_micro: bigint | null;
  readonly total_micro: bigint | null;
  readonly member_micro: bigint | null;
  readonly set_by: string | null;
  readonly set_at: Date | null;
  readonly total_used_micro: bigint | null;
  readonly member_used_micro: bigint | null;
}

export function readSpendingStatement(org_id: string, user_id: string): Statement {
  return {
    name: 'plans.read_spending',
    text: `select period_start, period_end, overage, usd_credit, overage_used_micro, overage_micro, total_micro,
                  member_micro, set_by, set_at, total_used_micro, member_used_micro
             from netra.read_spending($1, $2)`,
    values: [org_id, user_id],
  };
}

export interface SpendingFaultRow {
  readonly org_id: string;
  readonly fault: string;
  readonly place: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly expected: string;
  readonly found: string;
  readonly of: bigint;
}

/** The first `limit` rows of each kind at fault in each organisation, or in one. */
export function checkSpendingStatement(org_id: string | undefined, limit: number): Statement {
  return {
    text: `select org_id, fault, place, key, expected, found, "of"
             from (select c.*, count(*) over of_kind as "of", row_number() over (of_kind order by key::text) as nth
                     from netra.check_spending($1) c window of_kind as (partition by org_id, fault)) f
            where nth <= $2 order by org_id, fault, nth`,
    values: [org_id ?? null, limit],
  };
}

export function setSpendingCapsStatement(
  org_id: string,
  caps: {
    readonly overage_micro: bigint | null;
    readonly total_micro: bigint | null;
    readonly member_micro: bigint | null;
  },
  by: string,
): Statement {
  return {
    name: 'plans.set_spending_caps',
    text: 'select netra.set_spending_caps($1, $2, $3, $4, $5)',
    values: [org_id, caps.overage_micro, caps.total_micro, caps.member_micro, by],
  };
}
