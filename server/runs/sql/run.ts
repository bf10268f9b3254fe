import type { Receipt } from '@netra/contract';
import type { Statement } from '../../platform/index.ts';
import type { Lease } from '../claim.ts';
import type { RunState } from '../run.ts';

export interface FinishArguments extends Lease {
  readonly head: number;
  readonly events_json: string;
  readonly type: string;
  readonly data_json: string;
  readonly capture_micro: bigint;
  readonly message_id: string;
  readonly outbox_json: string;
  /** What a charge beyond the hold and the balance may be drawn from. */
  readonly beyond: 'plan' | 'observe';
}

export interface FinishedRow {
  readonly at: Date;
  readonly receipt: Receipt;
}

export function finishRunStatement(finish: FinishArguments): Statement {
  return {
    name: 'runs.finish_run',
    text: 'select at, receipt from netra.finish_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    values: [
      finish.org_id,
      finish.run_id,
      finish.lease_token,
      finish.head,
      finish.events_json,
      finish.type,
      finish.data_json,
      finish.capture_micro,
      finish.message_id,
      finish.outbox_json,
      finish.beyond,
    ],
  };
}

/** The arguments of finishRunStatement, by place; what is JSON already goes in as it is. */
export function finishRunsStatement(finishes: readonly FinishArguments[]): Statement {
  const asks = finishes.map((finish) => {
    const { org_id, run_id, lease_token, head, events_json, type, data_json, outbox_json } = finish;
    const ids = `"${org_id}","${run_id}","${lease_token}"`;
    const rest = `"${finish.capture_micro}","${finish.message_id}"`;
    return `[${ids},${head},${events_json},"${type}",${data_json},${rest},${outbox_json},"${finish.beyond}"]`;
  });
  return {
    name: 'runs.finish_runs',
    text: 'select slot, at, receipt from netra.finish_runs($1)',
    values: [`[${asks.join(',')}]`],
  };
}

export function parkRunStatement(lease: Lease, head: number, events_json: string): Statement {
  return {
    name: 'runs.park_run',
    text: 'select netra.park_run($1, $2, $3, $4, $5) as at',
    values: [lease.org_id, lease.run_id, lease.lease_token, head, events_json],
  };
}

export interface StateRow {
  readonly state: string;
}

export function cancelRunStatement(org_id: string, run_id: string, by: string): Statement {
  return {
    name: 'runs.cancel_run',
    text: 'select state from netra.cancel_run($1, $2, $3)',
    values: [org_id, run_id, by],
  };
}

export function giveApprovalStatement(
  org_id: string,
  run_id: string,
  answer: { readonly call: string; readonly approved: boolean; readonly by: string },
): Statement {
  return {
    name: 'runs.give_approval',
    text: 'select state from netra.give_approval($1, $2, $3, $4, $5)',
    values: [org_id, run_id, answer.call, answer.approved, answer.by],
  };
}

// The receipt is in the terminal event, which is the last one; no other has `credits`.
const runColumns = `
  r.run_id, r.thread_id, r.user_id, r.agent, r.model, r.state, r.epoch, r.last_seq, r.attempt, r.cancel_requested_at,
  r.max_micro as max_credits_micro,
  r.created_at, r.start_at, r.deadline_at, r.ended_at, (
    select e.data -> 'credits' from netra.event e
    where r.ended_at is not null and e.org_id = r.org_id and e.run_id = r.run_id and e.seq = r.last_seq
  ) as credits`;

export function selectRun(org_id: string, run_id: string): Statement {
  return {
    name: 'runs.select_run',
    text: `select ${runColumns} from netra.run r where r.org_id = $1 and r.run_id = $2`,
    values: [org_id, run_id],
  };
}

export function selectRuns(
  org_id: string,
  page: { readonly cursor: string | null; readonly order: 'asc' | 'desc'; readonly limit: number },
  only: { readonly state?: RunState | undefined; readonly thread?: string | undefined },
): Statement {
  // Written out, so that each state's own index can be seen to fit.
  const state = only.state === undefined ? '' : `and r.state = '${only.state}'`;
  const beyond =
    page.order === 'asc'
      ? `> coalesce($2::uuid, '00000000-0000-0000-0000-000000000000')`
      : `< coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')`;
  return {
    text: `select ${runColumns} from netra.run r
      where r.org_id = $1 and r.run_id ${beyond} ${state}
        and ($4::uuid is null or r.thread_id = $4)
      order by r.run_id ${page.order} limit $3`,
    values: [org_id, page.cursor, page.limit, only.thread ?? null],
  };
}

/** By the thread's newest question: messages are in order of their ids, within the thread's own key. */
export function selectLatestRun(org_id: string, thread_id: string): Statement {
  return {
    name: 'runs.select_latest_run',
    text: `select ${runColumns} from (
        select m.run_id from netra.message m
        where m.org_id = $1 and m.thread_id = $2 and m.author = 'user' order by m.message_id desc limit 1
      ) last join netra.run r on r.org_id = $1 and r.run_id = last.run_id`,
    values: [org_id, thread_id],
  };
}
