import type { Statement } from '../../platform/index.ts';

/** One due time of a job, which this node has alone while it renews the lease. */
export interface JobClaim {
  readonly name: string;
  readonly lease_token: bigint;
  readonly failures: number;
  /** The database's time of the claim. */
  readonly claimed_at: Date;
}

/** Those that are new are due at once. */
export function insertJobs(names: readonly string[]): Statement {
  return {
    text: `insert into netra.job (name, next_at) select name, now() from unnest($1::text[]) name
           on conflict (name) do nothing`,
    values: [names],
  };
}

/** Rows are `JobClaim`. Two nodes that ask at once get different jobs. */
export function claimJobs(names: readonly string[], node_id: string, lease_ms: number): Statement {
  return {
    name: 'work.claim_jobs',
    text: `
      with due as (
        select name from netra.job
        where name = any($1) and next_at <= now() and lease_until <= now()
        for update skip locked
      )
      update netra.job j
      set lease_token = lease_token + 1, lease_node = $2, lease_until = now() + $3 * interval '1 ms'
      from due where j.name = due.name
      returning j.name, j.lease_token, j.failures, now() as claimed_at`,
    values: [names, node_id, lease_ms],
  };
}

/** No row: the lease is another node's. */
export function renewJob({ name, lease_token }: JobClaim, lease_ms: number): Statement {
  return {
    name: 'work.renew_job',
    text: `update netra.job set lease_until = now() + $3 * interval '1 ms'
           where name = $1 and lease_token = $2 returning name`,
    values: [name, lease_token, lease_ms],
  };
}

export interface JobEnd {
  readonly next_at: Date;
  readonly took_ms: number;
  /** Null: it went well. */
  readonly error: string | null;
}

/** No row: the lease is another node's, and what is due next is up to that one. */
export function endJob({ name, lease_token }: JobClaim, { next_at, took_ms, error }: JobEnd): Statement {
  return {
    name: 'work.end_job',
    text: `
      update netra.job
      set lease_until = '-infinity', next_at = $3, last_error = $5::text,
          failures = case when $5::text is null then 0 else failures + 1 end,
          done_at = case when $5::text is null then now() else done_at end,
          done_ms = case when $5::text is null then $4 else done_ms end
      where name = $1 and lease_token = $2
      returning name`,
    values: [name, lease_token, next_at.toISOString(), took_ms, error],
  };
}

/** A row if the job is due now and was not; one that runs, or failed and waits, is left as it is. */
export function hurryJob(name: string): Statement {
  return {
    name: 'work.hurry_job',
    text: `update netra.job set next_at = now()
           where name = $1 and next_at > now() and lease_until <= now() and failures = 0
           returning name`,
    values: [name],
  };
}
