-- breaking: logs that were cut fail the check of logs as it was before
drop function netra.set_retention(text, text, timestamptz, int);
drop function netra.cut_events(int, int);
drop function netra.cut_org_events(uuid, int);
drop function netra.event_days_of(uuid);
drop function netra.read_log_page(uuid, uuid, int, int);
create or replace function netra.check_seen_run_log(p_stale_ms int) returns table (org_id uuid, run_id uuid, breach text)
  language sql stable set search_path = pg_catalog as $$
    with log as (
      select e.org_id, e.run_id, count(*) as events, max(e.seq) as head,
        count(*) filter (where e.type in ('agent_completed', 'agent_failed', 'agent_cancelled')) as ends,
        max(e.seq) filter (where e.type in ('agent_completed', 'agent_failed', 'agent_cancelled')) as end_seq,
        count(*) filter (where e.type = 'agent_started') as starts,
        min(e.seq) filter (where e.type = 'agent_started') as start_seq
      from netra.event e group by e.org_id, e.run_id
    ), seen as (
      select coalesce(r.org_id, l.org_id) as org_id, coalesce(r.run_id, l.run_id) as run_id, r.run_id as row_id,
        r.state in ('completed', 'failed', 'cancelled') as ended, r.state, r.lease_until, r.last_seq,
        coalesce(l.events, 0) as events, coalesce(l.head, 0) as head, coalesce(l.ends, 0) as ends, l.end_seq,
        coalesce(l.starts, 0) as starts, l.start_seq
      from netra.run r full join log l on l.org_id = r.org_id and l.run_id = r.run_id
    )
    select s.org_id, s.run_id, b.breach from seen s cross join lateral (values
      (s.row_id is null, 'R1: events without a run'),
      (s.events <> s.head, format('R1: %s events, but the highest is %s', s.events, s.head)),
      (s.row_id is not null and s.head <> s.last_seq, format('R1: the run says %s, the log %s', s.last_seq, s.head)),
      (s.starts <> 1 or s.start_seq <> 1, 'R1: agent_started is not the one first event'),
      (s.ended and (s.ends <> 1 or s.end_seq <> s.head), 'R1: an ended run without one terminal event, last'),
      (not s.ended and s.ends > 0, format('R1: a terminal event, but the run is %s', s.state)),
      (s.state = 'running' and s.lease_until < now() - p_stale_ms * interval '1 millisecond',
        format('R2: running, but its lease ended at %s', s.lease_until))
    ) as b(broken, breach) where b.broken
  $$;
revoke delete on netra.event from netra_system;
drop policy cut on netra.event;
drop table netra.event_retention;
alter table netra.run drop constraint run_cut, drop column cut_seq;
drop table netra.plan_retention;
