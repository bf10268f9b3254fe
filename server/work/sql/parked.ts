import type { Statement } from '../../platform/index.ts';

export interface ParkedRun {
  readonly org_id: string;
  readonly run_id: string;
}

export function selectFundedRuns(limit: number): Statement {
  return { name: 'work.funded_runs', text: 'select org_id, run_id from netra.funded_runs($1)', values: [limit] };
}

export function resumeFundedStatement({ org_id, run_id }: ParkedRun): Statement {
  return { text: 'select netra.resume_funded($1, $2) as done', values: [org_id, run_id] };
}

export function selectUnansweredRuns(older_ms: number, limit: number): Statement {
  return { text: 'select org_id, run_id from netra.unanswered_runs($1, $2)', values: [older_ms, limit] };
}

export function giveUpParkedStatement({ org_id, run_id }: ParkedRun, older_ms: number): Statement {
  return { text: 'select netra.give_up_parked($1, $2, $3) as done', values: [org_id, run_id, older_ms] };
}

export interface DoneRow {
  readonly done: boolean;
}
