import type { Scope, Statement } from '../../platform/index.ts';

/** Rows of `netra.check_run_log`: one a breach. */
export interface BreachRow {
  readonly org_id: string;
  readonly run_id: string;
  readonly breach: string;
}

/** R1 and R2 over all runs; or, `seen`, over those of the tenant that the transaction has entered. */
export function checkRunLogStatement(stale_ms: number, scope: Scope): Statement {
  const check = scope === 'seen' ? 'check_seen_run_log' : 'check_run_log';
  return { text: `select org_id, run_id, breach from netra.${check}($1) order by 1, 2, 3`, values: [stale_ms] };
}

export interface LogFaultRow {
  readonly fault: string;
  readonly seq: number | null;
  readonly since: Date | null;
  readonly expected: string;
  readonly found: string;
}

/** Where one run and its log part. In the tenant. */
export function explainRunStatement(org_id: string, run_id: string, stale_ms: number): Statement {
  return {
    text: `
      with log as (
        select e.seq, e.at, e.type in ('agent_completed', 'agent_failed', 'agent_cancelled') as terminal, e.type,
               coalesce(lag(e.seq) over (order by e.seq), (
                 select r.cut_seq from netra.run r where r.org_id = $1 and r.run_id = $2), 0) as prior, lag(e.at) over (order by e.seq) as prior_at
          from netra.event e where e.org_id = $1 and e.run_id = $2
      ), head as (
        select coalesce(max(l.seq), 0) as seq, max(l.at) as at, count(*) filter (where l.terminal) as ends from log l
      ), run as (select * from netra.run r where r.org_id = $1 and r.run_id = $2)
      select 'log_gap' as fault, l.prior + 1 as seq, coalesce(l.prior_at, l.at) as since, 'seq without a gap' as expected,
             format('%s events missing before seq %s', l.seq - l.prior - 1, l.seq) as found
        from log l where l.seq > l.prior + 1
      union all
      select 'run_missing', 1, min(l.at), 'a run', format('%s events', count(*)) from log l
       where not exists (select from run) having count(*) > 0
      union all
      select 'log_cut', h.seq + 1, h.at, format('events up to seq %s', r.last_seq), format('the last is seq %s', h.seq)
        from run r, head h where r.last_seq > h.seq
      union all
      select 'log_beyond', r.last_seq + 1, l.at, format('no event after seq %s', r.last_seq),
             format('the last is seq %s', h.seq)
        from run r, head h left join lateral (select min(l.at) as at from log l, run r where l.seq > r.last_seq) l on true
       where r.last_seq < h.seq
      union all
      select 'log_start', l.seq, l.at, 'agent_started at seq 1, and nowhere else', format('%s at seq %s', l.type, l.seq)
        from log l where (l.type = 'agent_started') <> (l.seq = 1)
      union all
      select 'log_end', l.seq, l.at, 'a terminal event that is the last, of a run that has ended',
             format('%s at seq %s, the run is %s', l.type, l.seq, r.state)
        from log l, run r, head h
       where l.terminal and (l.seq < h.seq or r.state not in ('completed', 'failed', 'cancelled'))
      union all
      select 'log_end', h.seq, r.ended_at, 'a terminal event, last', format('none, the run is %s', r.state)
        from run r, head h where r.state in ('completed', 'failed', 'cancelled') and h.ends = 0
      union all
      select 'lease_stale', null, r.lease_until, 'a run that a node works on', 'a lease that nobody renews or takes'
        from run r
       where r.state = 'running' and r.lease_until < now() - $3 * interval '1 millisecond'
      order by 2 nulls last, 1 limit 5`,
    values: [org_id, run_id, stale_ms],
  };
}
