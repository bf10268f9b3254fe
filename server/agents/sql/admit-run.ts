import type { IfBusy } from '@netra/contract';
import type { CreditMode, Statement } from '../../platform/index.ts';

export interface AdmitArguments {
  readonly org_id: string;
  readonly user_id: string;
  readonly role: string;
  readonly run_id: string;
  readonly thread_id: string;
  readonly new_thread: boolean;
  readonly message_id: string;
  readonly hold_id: string;
  readonly agent: string;
  /** null = this installation has no such agent: refused, after the plan has had its say. */
  readonly model: string | null;
  readonly input_json: string;
  /** Held for the first model call, on top of the agent's fee. */
  readonly model_micro: bigint;
  readonly idempotency_key: string;
  readonly request_hash: string;
  /** Which node takes the lease; null = queued. */
  readonly node_id: string | null;
  readonly lease_ms: number;
  readonly lease_token: string;
  /** The most that the run may cost; null = no cap of its own. */
  readonly max_micro: bigint | null;
  /** What this node does about credits. */
  readonly credits: CreditMode;
  /** What to do if the thread is busy. */
  readonly if_busy: IfBusy;
  /** When it is to begin, ISO UTC; null = now. */
  readonly start_at: string | null;
}

export interface AdmittedRow {
  readonly run_id: string;
  readonly thread_id: string;
  /** The same request was admitted before: this is that run. */
  readonly replayed: boolean;
  readonly state: string;
  readonly at: Date;
  /** null = it does not begin now, and holds nothing. */
  readonly hold_id: string | null;
  readonly fee_micro: bigint;
  readonly held_micro: bigint | null;
  readonly deadline_at: Date | null;
  readonly deadline_in_ms: number | null;
  /** The run that it waits behind. */
  readonly behind: string | null;
  /** Runs that were cancelled for it. */
  readonly interrupted: readonly string[];
}

/** The arguments of admitRunStatement, by place; the input is JSON already. */
export function admitRunsStatement(admits: readonly AdmitArguments[]): Statement {
  const asks = admits.map((admit) => {
    const { org_id, user_id, role, run_id, thread_id, new_thread, message_id, hold_id, agent, model } = admit;
    const before = [org_id, user_id, role, run_id, thread_id, new_thread, message_id, hold_id, agent, model];
    const { idempotency_key, request_hash, node_id, lease_ms, lease_token } = admit;
    const cap = [admit.max_micro === null ? null : String(admit.max_micro), admit.credits];
    const turn = [admit.if_busy, admit.start_at];
    const after = [
      String(admit.model_micro),
      idempotency_key,
      request_hash,
      node_id,
      lease_ms,
      lease_token,
      ...cap,
      ...turn,
    ];
    return `${JSON.stringify(before).slice(0, -1)},${admit.input_json},${JSON.stringify(after).slice(1)}`;
  });
  return {
    name: 'agents.admit_runs',
    text: 'select * from netra.admit_runs($1)',
    values: [`[${asks.join(',')}]`],
  };
}

export function admitRunStatement(admit: AdmitArguments): Statement {
  return {
    name: 'agents.admit_run',
    text: `select * from netra.admit_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
      $18, $19, $20, $21)`,
    values: [
      admit.org_id,
      admit.user_id,
      admit.role,
      admit.run_id,
      admit.thread_id,
      admit.new_thread,
      admit.message_id,
      admit.hold_id,
      admit.agent,
      admit.model,
      admit.input_json,
      admit.model_micro,
      admit.idempotency_key,
      admit.request_hash,
      admit.node_id,
      admit.lease_ms,
      admit.lease_token,
      admit.max_micro,
      admit.credits,
      admit.if_busy,
      admit.start_at,
    ],
  };
}
