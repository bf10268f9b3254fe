import type { Receipt } from '@netra/contract';

/** Where a run stands. scheduled: its time lies ahead; waiting: behind another of its thread; queued: waits for a worker; parked: waits for a person; the last three are final. */
export type RunState = 'scheduled' | 'waiting' | 'queued' | 'running' | 'parked' | 'completed' | 'failed' | 'cancelled';

/** A run as its organisation sees it. */
export interface Run {
  readonly run_id: string;
  readonly thread_id: string;
  readonly user_id: string;
  readonly agent: string;
  readonly model: string;
  readonly state: RunState;
  readonly epoch: number;
  readonly last_seq: number;
  readonly attempt: number;
  readonly cancel_requested_at: Date | null;
  /** The most that it may cost, as its caller asked; null = no cap of its own. */
  readonly max_credits_micro: bigint | null;
  readonly created_at: Date;
  /** When it is due, or was; null = it was asked for at once. */
  readonly start_at: Date | null;
  readonly deadline_at: Date | null;
  readonly ended_at: Date | null;
  /** What it held, spent and gave back; null until it has ended. */
  readonly credits: Receipt | null;
}

/** A conversation. */
export interface Thread {
  readonly thread_id: string;
  readonly user_id: string;
  readonly title: string;
  readonly created_at: Date;
}
