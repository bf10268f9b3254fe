import type { Role } from '../platform/index.ts';

/** What a worker holds while it works on a run: the run, and the lease that lets it write the run's log. */
export interface Claim {
  readonly org_id: string;
  readonly run_id: string;
  readonly thread_id: string;
  readonly user_id: string;
  readonly role: Role;
  readonly agent: string;
  readonly model: string;
  readonly input: unknown;
  /** null = it waited, and nothing is held for it yet. */
  readonly hold_id: string | null;
  readonly fee_micro: bigint;
  readonly lease_token: string;
  /** 1 for the first worker; more when an earlier one died or failed. */
  readonly attempt: number;
  /** This attempt and those before it in which no step was done: 1 when the last worker did one. */
  readonly fruitless: number;
  /** When the plan's seconds for a run are over; null = no limit. */
  readonly deadline_at: Date | null;
  /** The same as database time left at the claim: clocks of nodes may differ. */
  readonly deadline_in_ms: number | null;
  readonly idempotency_key: string;
  /** The head of the log at the claim. */
  readonly last_seq: number;
  readonly epoch: number;
  /** Who asked to cancel before the claim; the run must end, not go on. */
  readonly cancel_requested_by: string | null;
}

/** What proves the right to write a run's log. */
export type Lease = Pick<Claim, 'org_id' | 'run_id' | 'lease_token'>;
