import type { Statement } from '../../platform/index.ts';

export interface OrphanHold {
  readonly org_id: string;
  readonly hold_id: string;
}

export function selectOrphanHolds(older_ms: number, limit: number): Statement {
  return { text: 'select org_id, hold_id from netra.orphan_holds($1, $2)', values: [older_ms, limit] };
}

export interface SweptHold {
  readonly verdict: 'settled' | 'released' | 'kept' | 'gone';
  /** The evidence, or what is missing of it. */
  readonly why: string;
  readonly run_id: string | null;
  readonly held_micro: bigint;
  readonly captured_micro: bigint;
}

/** Ends the hold by what the run log proves, or marks it as kept; one transaction. */
export function sweepHoldStatement({ org_id, hold_id }: OrphanHold): Statement {
  return {
    text: 'select verdict, why, run_id, held_micro, captured_micro from netra.sweep_hold($1, $2)',
    values: [org_id, hold_id],
  };
}

export interface KeptHolds {
  readonly holds: bigint;
  /** A sum, and so exact text. */
  readonly held_micro: string;
}

export function countKeptHolds(): Statement {
  return { text: 'select holds, held_micro::text as held_micro from netra.kept_holds()', values: [] };
}
