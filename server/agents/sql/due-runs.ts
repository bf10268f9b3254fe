import type { Statement } from '../../platform/index.ts';

export interface DueRun {
  readonly org_id: string;
  readonly run_id: string;
  readonly user_id: string;
}

export function selectDueRuns(limit: number): Statement {
  return {
    name: 'agents.due_runs',
    text: 'select org_id, run_id, user_id from netra.due_runs($1)',
    values: [limit],
  };
}

/** No row: somebody else has seen to it. */
export interface StartedRow {
  readonly state: 'scheduled' | 'waiting' | 'queued' | 'failed';
  readonly behind: string | null;
  readonly interrupted: readonly string[];
}

export function startDueRun(
  { org_id, run_id }: DueRun,
  message_id: string,
  refusal: { readonly code: string; readonly message: string } | null,
  again_ms: number,
): Statement {
  return {
    name: 'agents.start_due_run',
    text: 'select state, behind, interrupted from netra.start_due_run($1, $2, $3, $4, $5)',
    values: [org_id, run_id, message_id, refusal && JSON.stringify(refusal), again_ms],
  };
}

export function letStuckRunsStatement(limit: number): Statement {
  return { text: 'select netra.let_stuck_runs($1) as freed', values: [limit] };
}
