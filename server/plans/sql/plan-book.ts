import type { Statement } from '../../platform/index.ts';

/** One dated row of a plan; the latest that has begun is in force for whoever begins a period. */
export interface DatedPlan {
  readonly plan_id: string;
  readonly valid_from: Date;
  /** Exact decimal. */
  readonly price_usd: string;
  readonly credits_micro: bigint;
  readonly runs_month: number | null;
  readonly seconds_run: number;
  readonly concurrent_runs: number;
  readonly requests_hour: number | null;
  readonly agents: readonly string[];
  readonly features: readonly string[];
  readonly priority: number;
  readonly rollover_periods: number;
  readonly overage: 'stop' | 'cap' | 'soft';
  /** Exact decimal. */
  readonly overage_usd_credit: string | null;
  readonly on_sale: boolean;
}

export interface DatedFee {
  readonly agent: string;
  readonly valid_from: Date;
  readonly fee_micro: bigint;
}

/** Who changed what, when: kept for good. */
export interface BookChange {
  readonly change_id: bigint;
  readonly at: Date;
  readonly changed_by: string;
  readonly book: 'plan' | 'fee' | 'price' | 'offer';
  readonly subject: string;
  readonly valid_from: Date;
  readonly action: 'add' | 'replace' | 'retire';
}

/** The last change that a reader has seen, and the database's time. */
export function readRevisionStatement(): Statement {
  return {
    text: `select coalesce((select max(change_id) from netra.book_change), 0)::bigint as revision,
                  date_trunc('milliseconds', now()) as now`,
    values: [],
  };
}

export function readDatedPlansStatement(): Statement {
  return {
    text: `select plan_id, valid_from, price_usd, credits_micro, runs_month, seconds_run, concurrent_runs,
                  requests_hour, agents, features, priority, rollover_periods, overage, overage_usd_credit, on_sale
             from netra.plan order by plan_id, valid_from`,
    values: [],
  };
}

export function readDatedFeesStatement(): Statement {
  return { text: 'select agent, valid_from, fee_micro from netra.agent_fee order by agent, valid_from', values: [] };
}

export function listBookChangesStatement(subject: string): Statement {
  return {
    text: `select change_id, at, changed_by, book, subject, valid_from, action from netra.book_change
            where book in ('plan', 'fee', 'offer') and subject = $1 order by change_id desc limit 200`,
    values: [subject],
  };
}

/** `changes` is JSON; refuses `conflict` if the book has moved past `revision`. */
export function changeBookStatement(changed_by: string, revision: bigint, changes: string): Statement {
  return { text: 'select netra.change_book($1, $2, $3::jsonb) as revision', values: [changed_by, revision, changes] };
}
