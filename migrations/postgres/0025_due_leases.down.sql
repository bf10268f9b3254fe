-- breaking: every claim reads all running runs again, and a run is given up after as many attempts as it has ever had
drop function netra.moved_runs(uuid[], uuid[], int[]);
create or replace function netra.claim_runs(p_node text, p_limit int, p_lease_ms int, p_held uuid[] default '{}')
  returns setof netra.claimed_run
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query
    with expired as (
      select r.org_id, r.run_id from netra.run r
      where r.state = 'running' and r.lease_until < now() and r.run_id <> all (p_held)
      order by r.run_id limit p_limit for no key update skip locked
    ), queued as (
      select r.org_id, r.run_id from netra.run r
      where r.state = 'queued' and r.ready_at <= now()
      order by r.turn, r.run_id limit p_limit for no key update skip locked
    ), chosen as (
      select org_id, run_id from (table expired union all table queued) as candidate limit p_limit
    ), taken as (
      update netra.run r
      set state = 'running', lease_token = gen_random_uuid(), lease_node = p_node,
          lease_until = now() + p_lease_ms * interval '1 millisecond', attempt = r.attempt + 1,
          deadline_at = coalesce(r.deadline_at, now() + r.seconds_max * interval '1 second')
      from chosen c where r.org_id = c.org_id and r.run_id = c.run_id
      returning r.*
    )
    select c.* from taken t cross join lateral netra.claimed(row(t.*)::netra.run) as c;
end
$$;
drop function netra.put_off_looks(int);
alter type netra.claimed_run drop attribute fruitless;
create or replace function netra.claimed(r netra.run) returns netra.claimed_run
  language sql stable
  return row(r.org_id, r.run_id, r.thread_id, r.user_id, r.role, r.agent, r.model, r.input, r.hold_id, r.fee_micro,
    r.lease_token, r.attempt, r.deadline_at, (extract(epoch from r.deadline_at - now()) * 1000)::int,
    r.idempotency_key, r.last_seq, r.epoch, r.cancel_requested_by)::netra.claimed_run;
create index run_leased on netra.run (run_id) where state = 'running';
drop trigger run_is_looked_at on netra.run;
drop function netra.look_when_over();
drop index netra.run_look;
alter table netra.run drop column stepped_attempt, drop column claimed_seq, drop column look_at;
