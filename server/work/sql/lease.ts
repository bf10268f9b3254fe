import type { Statement } from '../../platform/index.ts';
import type { Lease } from '../../runs/index.ts';

function columns(leases: readonly Lease[]): string[] {
  const list = (of: (lease: Lease) => string): string => `{${leases.map(of).join(',')}}`;
  return [list((lease) => lease.org_id), list((lease) => lease.run_id), list((lease) => lease.lease_token)];
}

/** Rows have the columns of `Claim`. Expired leases on `held` are left alone. */
export function claimRuns(node_id: string, limit: number, lease_ms: number, held: readonly string[]): Statement {
  return {
    name: 'work.claim_runs',
    text: 'select * from netra.claim_runs($1, $2, $3, $4)',
    values: [node_id, limit, lease_ms, `{${held.join(',')}}`],
  };
}

/** One row a run that is still ours. */
export interface HeartbeatRow {
  readonly run_id: string;
  readonly cancel_requested_by: string | null;
}

export function heartbeatRuns(leases: readonly Lease[], lease_ms: number): Statement {
  return {
    name: 'work.heartbeat_runs',
    text: 'select run_id, cancel_requested_by from netra.heartbeat_runs($1, $2, $3, $4)',
    values: [...columns(leases), lease_ms],
    // On a path that swallows everything no answer ever comes.
    timeout_ms: lease_ms,
  };
}

/** `given_back`: the attempt does not count. `wait_ms`: nobody may take it before. */
export function releaseRuns(
  leases: readonly Lease[],
  options: { readonly given_back: boolean; readonly wait_ms: number },
): Statement {
  return {
    name: 'work.release_runs',
    text: 'select netra.release_runs($1, $2, $3, $4, $5) as run_id',
    values: [...columns(leases), options.given_back, options.wait_ms],
  };
}
