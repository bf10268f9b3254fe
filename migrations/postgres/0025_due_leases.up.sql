-- not breaking: finds leases that are over by when to look at them, and counts attempts since a step was last done
-- Reading every running run at each claim cost in proportion to all that goes well. An index on lease_until would cost more:
-- it changes with every append, which touches no index today (0005). So a run is looked at when its first lease would be
-- over, and whoever looks and finds it renewed puts the next look off by what it was renewed for: one indexed change a lease
-- and run, and none for runs that are shorter than a lease.
alter table netra.run
  add column look_at timestamptz not null default '-infinity',
  -- Where the log stood at the last claim, and the attempt that last did a step.
  add column claimed_seq int not null default 0,
  add column stepped_attempt int not null default 0;

create index run_look on netra.run (look_at) where state = 'running';
drop index netra.run_leased;

create function netra.look_when_over() returns trigger language plpgsql as $$
begin
  new.look_at := new.lease_until;
  return new;
end
$$;
create trigger run_is_looked_at before insert on netra.run
  for each row when (new.state = 'running') execute function netra.look_when_over();

-- A run that never does a step between two deaths is the poison; one that lives for days may see many nodes go.
alter type netra.claimed_run add attribute fruitless int;
create or replace function netra.claimed(r netra.run) returns netra.claimed_run
  language sql stable
  return row(r.org_id, r.run_id, r.thread_id, r.user_id, r.role, r.agent, r.model, r.input, r.hold_id, r.fee_micro,
    r.lease_token, r.attempt, r.deadline_at, (extract(epoch from r.deadline_at - now()) * 1000)::int,
    r.idempotency_key, r.last_seq, r.epoch, r.cancel_requested_by, r.attempt - r.stepped_attempt)::netra.claimed_run;

-- Puts off the look at runs that are renewed. skip locked: an append that has the row renews it anyway.
create function netra.put_off_looks(p_limit int) returns void
  language sql security definer set search_path = pg_catalog as $$
  update netra.run r set look_at = r.lease_until
    from (select l.org_id, l.run_id from netra.run l
           where l.state = 'running' and l.look_at < now() and l.lease_until >= now()
           order by l.look_at limit p_limit for no key update skip locked) late
   where r.org_id = late.org_id and r.run_id = late.run_id
  $$;

-- As in 0019, by the index above. What was done since the last claim is asked of the log, and of these runs alone.
create or replace function netra.claim_runs(p_node text, p_limit int, p_lease_ms int, p_held uuid[] default '{}')
  returns setof netra.claimed_run
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if exists (select from netra.run r where r.state = 'running' and r.look_at < now()) then
    perform netra.put_off_looks(1000);
  end if;
  return query
    with expired as (
      select r.org_id, r.run_id from netra.run r
      where r.state = 'running' and r.look_at < now() and r.lease_until < now()
        and r.run_id <> all (p_held)
      order by r.look_at limit p_limit for no key update skip locked
    ), queued as (
      select r.org_id, r.run_id from netra.run r
      where r.state = 'queued' and r.ready_at <= now()
      order by r.turn, r.run_id limit p_limit for no key update skip locked
    ), chosen as (
      select org_id, run_id from (table expired union all table queued) as candidate limit p_limit
    ), taken as (
      update netra.run r
      set state = 'running', lease_token = gen_random_uuid(), lease_node = p_node,
          lease_until = now() + p_lease_ms * interval '1 millisecond',
          look_at = now() + p_lease_ms * interval '1 millisecond',
          attempt = r.attempt + 1, claimed_seq = r.last_seq,
          stepped_attempt = case when r.last_seq > greatest(r.claimed_seq, 1) and exists (
              select from netra.event e where e.org_id = r.org_id and e.run_id = r.run_id and e.seq > r.claimed_seq
                 and e.type in ('tool_completed', 'approval_given'))
            then r.attempt else least(r.stepped_attempt, r.attempt) end,
          deadline_at = coalesce(r.deadline_at, now() + r.seconds_max * interval '1 second')
      from chosen c where r.org_id = c.org_id and r.run_id = c.run_id
      returning r.*
    )
    select c.* from taken t cross join lateral netra.claimed(row(t.*)::netra.run) as c;
end
$$;

-- For a node's readers of runs that others work on: of these runs, the ones that have gone beyond what was read, ended, or
-- been cut. One statement for all of them, however quiet. p_seqs: the last seq that was read.
create function netra.moved_runs(p_orgs uuid[], p_runs uuid[], p_seqs int[]) returns table (run_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
    select r.run_id from unnest(p_orgs, p_runs, p_seqs) as w(org_id, run_id, seq)
    join netra.run r on r.org_id = w.org_id and r.run_id = w.run_id
    where r.last_seq > w.seq or r.ended_at is not null
  $$;

do $$
begin
  grant create on schema netra to netra_system;
  alter function netra.put_off_looks(int) owner to netra_system;
  alter function netra.moved_runs(uuid[], uuid[], int[]) owner to netra_system;
  revoke create on schema netra from netra_system;
  revoke execute on function netra.put_off_looks(int) from public;
  revoke execute on function netra.moved_runs(uuid[], uuid[], int[]) from public;
  grant execute on function netra.moved_runs(uuid[], uuid[], int[]) to netra_app;
end
$$;
