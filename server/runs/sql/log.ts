import type { Statement } from '../../platform/index.ts';
import type { Lease } from '../claim.ts';

/** One run's share of a flush: its lease, the head its writer saw, and `[type, data]` pairs as JSON. */
export interface Batch extends Lease {
  readonly head: number;
  readonly events_json: string;
}

export interface AppendedRow {
  /** 1-based place in the batch. */
  readonly slot: number;
  readonly at: Date;
}

/** All runs of a flush in one call. uuids and integers need no quoting in an array literal. */
export function appendEvents(batches: readonly Batch[], lease_ms: number): Statement {
  const list = (of: (batch: Batch) => string | number): string => `{${batches.map(of).join(',')}}`;
  return {
    name: 'runs.append_events',
    text: 'select slot, at from netra.append_events($1, $2, $3, $4, $5, $6)',
    values: [
      list((batch) => batch.org_id),
      list((batch) => batch.run_id),
      list((batch) => batch.lease_token),
      list((batch) => batch.head),
      `[${batches.map((batch) => batch.events_json).join(',')}]`,
      lease_ms,
    ],
    // Safe to repeat, and of no use when the lease is over.
    timeout_ms: lease_ms,
  };
}

/** One row an event; a run without events in the page has one row whose `seq` is null. */
export interface LogRow {
  readonly state: string;
  readonly epoch: number;
  readonly last_seq: number;
  readonly lease_token: string | null;
  /** Events up to here are gone by retention; 0 = none is. */
  readonly cut_seq: number;
  readonly seq: number | null;
  readonly at: Date;
  readonly type: string;
  readonly data: unknown;
}

export function readLog(org_id: string, run_id: string, after: number, limit: number): Statement {
  return {
    name: 'runs.read_log_page',
    text: 'select * from netra.read_log_page($1, $2, $3, $4)',
    values: [org_id, run_id, after, limit],
  };
}

/** Of these runs, the ones that have gone beyond `seq`, or are over. */
export function movedRuns(
  runs: readonly { readonly org_id: string; readonly run_id: string; readonly seq: number }[],
): Statement {
  return {
    name: 'runs.moved_runs',
    text: 'select run_id from netra.moved_runs($1, $2, $3)',
    values: [
      `{${runs.map(({ org_id }) => org_id).join(',')}}`,
      `{${runs.map(({ run_id }) => run_id).join(',')}}`,
      `{${runs.map(({ seq }) => seq).join(',')}}`,
    ],
  };
}
