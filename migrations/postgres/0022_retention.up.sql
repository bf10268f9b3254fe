-- not breaking: events of runs that ended long ago can be cut; readers of before see such a run as it is left
-- How long the events of a run are kept after its end, by the plan that its organisation is on. Dated: the latest row
-- that has begun is in force; null = for ever. No row = for ever too, so that nothing goes that nobody decided.
create table netra.plan_retention (
  plan_id    text not null,
  valid_from timestamptz not null,
  event_days int check (event_days > 0),
  changed_by text not null check (length(changed_by) between 1 and 200),
  changed_at timestamptz not null default now(),
  primary key (plan_id, valid_from)
);
grant select on netra.plan_retention to netra_app, netra_system;
grant insert, update on netra.plan_retention to netra_system;

-- An installation that has had runs keeps what it has until its operator says otherwise.
insert into netra.plan_retention (plan_id, valid_from, event_days, changed_by)
select d.plan_id, '2026-01-01Z', d.event_days, 'netra'
  from (values ('free', 30), ('early', 90), ('mid', 365)) d (plan_id, event_days)
 where pg_relation_size('netra.run') = 0;

-- Up to which seq a run's events are gone: 0 = none is. The terminal event, which has the receipt, always stays.
alter table netra.run
  add column cut_seq int not null default 0,
  add constraint run_cut check (cut_seq >= 0 and (cut_seq = 0 or (ended_at is not null and cut_seq < last_seq)));

-- Where each organisation's cut stands: all its runs up to this one are cut. Run ids are in order of time.
create table netra.event_retention (
  org_id      uuid primary key,
  cut_through uuid not null default '00000000-0000-0000-0000-000000000000',
  looked_at   timestamptz not null default '-infinity'
);
create index event_retention_due on netra.event_retention (looked_at);
alter table netra.event_retention enable row level security;
alter table netra.event_retention force row level security;
create policy tenant on netra.event_retention to netra_app
  using (org_id = netra.current_org()) with check (org_id = netra.current_org());
create policy system on netra.event_retention to netra_system using (true) with check (true);
grant select on netra.event_retention to netra_app;
grant select, insert, update on netra.event_retention to netra_system;
create policy cut on netra.event for delete to netra_system using (true);
grant delete on netra.event to netra_system;

-- As netra.read_log(), and up to where the log is cut.
create function netra.read_log_page(p_org uuid, p_run uuid, p_after int, p_limit int)
  returns table (state text, epoch int, last_seq int, lease_token uuid, cut_seq int, seq int, at timestamptz, type text,
                 data jsonb)
  language plpgsql as $$
begin
  perform netra.enter_org(p_org);
  return query
    select r.state, r.epoch, r.last_seq, r.lease_token, r.cut_seq, e.seq, e.at, e.type, e.data
    from netra.run r
    left join lateral (
      select e.seq, e.at, e.type, e.data from netra.event e
      where e.org_id = p_org and e.run_id = p_run and e.seq > p_after order by e.seq limit p_limit
    ) e on true
    where r.org_id = p_org and r.run_id = p_run
    order by e.seq;
end
$$;

create function netra.event_days_of(p_org uuid) returns int
  language sql stable as $$
  select (select k.event_days from netra.plan_retention k
           where k.plan_id = s.plan_id and k.valid_from <= now() order by k.valid_from desc limit 1)
    from netra.subscription s where s.org_id = p_org
$$;

-- Cuts one organisation's runs that ended longer ago than its plan keeps events, oldest first, at most p_room events.
-- A run that has not ended holds up those after it, for as long as it waits. The epoch of a run changes with each cut:
-- cursors of before are void, and say so, rather than go on behind a gap. Returns the events that went.
create function netra.cut_org_events(p_org uuid, p_room int) returns int
  language plpgsql as $$
declare
  v_days int := netra.event_days_of(p_org);
  v_through uuid;
  v_run record;
  v_to int;
  v_cut int := 0;
  v_done boolean := true;
begin
  select k.cut_through into strict v_through from netra.event_retention k where k.org_id = p_org;
  for v_run in
    select r.run_id, r.ended_at, r.last_seq, r.cut_seq from netra.run r
     where v_days is not null and r.org_id = p_org and r.run_id > v_through order by r.run_id limit p_room
  loop
    exit when v_run.ended_at is null or v_run.ended_at > now() - make_interval(days => v_days);
    v_to := least(v_run.last_seq - 1, v_run.cut_seq + p_room - v_cut);
    if v_to > v_run.cut_seq then
      delete from netra.event e
       where e.org_id = p_org and e.run_id = v_run.run_id and e.seq > v_run.cut_seq and e.seq <= v_to;
      update netra.run r set cut_seq = v_to, epoch = r.epoch + 1 where r.org_id = p_org and r.run_id = v_run.run_id;
      v_cut := v_cut + v_to - v_run.cut_seq;
    end if;
    v_done := v_to >= v_run.last_seq - 1;
    exit when not v_done;
    v_through := v_run.run_id;
  end loop;
  -- With no room left it is looked at again at once.
  update netra.event_retention k
     set cut_through = v_through, looked_at = case when v_done and v_cut < p_room then now() else k.looked_at end
   where k.org_id = p_org;
  return v_cut;
end
$$;

-- For a schedule: the organisations that were not looked at for an hour, at most p_orgs of them and p_room events.
create function netra.cut_events(p_orgs int, p_room int) returns table (orgs int, events int)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org uuid;
begin
  orgs := 0;
  events := 0;
  insert into netra.event_retention (org_id)
  select o.org_id from netra.org o
   where not exists (select from netra.event_retention k where k.org_id = o.org_id) limit p_orgs
  on conflict do nothing;
  for v_org in
    select k.org_id from netra.event_retention k where k.looked_at < now() - interval '1 hour'
     order by k.looked_at limit p_orgs for update skip locked
  loop
    exit when events >= p_room;
    events := events + netra.cut_org_events(v_org, p_room - events);
    orgs := orgs + 1;
  end loop;
  return next;
end
$$;

-- What an operator sets. A row that has begun is never changed: give a later moment, or none for now.
create function netra.set_retention(p_by text, p_plan text, p_from timestamptz, p_days int) returns timestamptz
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_from timestamptz := coalesce(p_from, now());
begin
  if v_from < now() then
    perform netra.refuse('conflict', 'A retention cannot begin in the past.', jsonb_build_object('plan', p_plan));
  end if;
  if not exists (select from netra.plan p where p.plan_id = p_plan) then
    perform netra.refuse('not_found', format('There is no plan %L.', p_plan), jsonb_build_object('plan', p_plan));
  end if;
  insert into netra.plan_retention (plan_id, valid_from, event_days, changed_by) values (p_plan, v_from, p_days, p_by)
  on conflict (plan_id, valid_from) do update
    set event_days = excluded.event_days, changed_by = excluded.changed_by, changed_at = now()
    where plan_retention.valid_from > now();
  return v_from;
end
$$;

-- As before; a log that was cut is whole from there on.
create or replace function netra.check_seen_run_log(p_stale_ms int)
  returns table (org_id uuid, run_id uuid, breach text)
  language sql stable set search_path = pg_catalog as $$
    with log as (
      select e.org_id, e.run_id, count(*) as events, max(e.seq) as head, min(e.seq) as first,
        count(*) filter (where e.type in ('agent_completed', 'agent_failed', 'agent_cancelled')) as ends,
        max(e.seq) filter (where e.type in ('agent_completed', 'agent_failed', 'agent_cancelled')) as end_seq,
        count(*) filter (where e.type = 'agent_started') as starts,
        min(e.seq) filter (where e.type = 'agent_started') as start_seq
      from netra.event e group by e.org_id, e.run_id
    ), seen as (
      select coalesce(r.org_id, l.org_id) as org_id, coalesce(r.run_id, l.run_id) as run_id, r.run_id as row_id,
        r.state in ('completed', 'failed', 'cancelled') as ended, r.state, r.lease_until, r.last_seq,
        coalesce(r.cut_seq, 0) as cut, coalesce(l.first, 0) as first,
        coalesce(l.events, 0) as events, coalesce(l.head, 0) as head, coalesce(l.ends, 0) as ends, l.end_seq,
        coalesce(l.starts, 0) as starts, l.start_seq
      from netra.run r full join log l on l.org_id = r.org_id and l.run_id = r.run_id
    )
    select s.org_id, s.run_id, b.breach from seen s cross join lateral (values
      (s.row_id is null, 'R1: events without a run'),
      (s.events <> s.head - s.cut, format('R1: %s events, but the highest is %s', s.events, s.head)),
      (s.row_id is not null and s.head <> s.last_seq, format('R1: the run says %s, the log %s', s.last_seq, s.head)),
      (s.cut = 0 and (s.starts <> 1 or s.start_seq <> 1), 'R1: agent_started is not the one first event'),
      (s.cut > 0 and s.first <> s.cut + 1, format('R1: cut up to %s, but the lowest is %s', s.cut, s.first)),
      (s.ended and (s.ends <> 1 or s.end_seq <> s.head), 'R1: an ended run without one terminal event, last'),
      (not s.ended and s.ends > 0, format('R1: a terminal event, but the run is %s', s.state)),
      (s.state = 'running' and s.lease_until < now() - p_stale_ms * interval '1 millisecond',
        format('R2: running, but its lease ended at %s', s.lease_until))
    ) as b(broken, breach) where b.broken
  $$;

do $$
declare
  v_function regprocedure;
begin
  grant create on schema netra to netra_system;
  foreach v_function in array array['netra.cut_org_events(uuid, int)', 'netra.cut_events(int, int)',
    'netra.set_retention(text, text, timestamptz, int)']::regprocedure[] loop
    execute format('alter function %s owner to netra_system', v_function);
  end loop;
  revoke create on schema netra from netra_system;
  foreach v_function in array array['netra.read_log_page(uuid, uuid, int, int)', 'netra.event_days_of(uuid)',
    'netra.cut_org_events(uuid, int)', 'netra.cut_events(int, int)',
    'netra.set_retention(text, text, timestamptz, int)']::regprocedure[] loop
    execute format('revoke execute on function %s from public', v_function);
  end loop;
end
$$;
grant execute on function netra.read_log_page(uuid, uuid, int, int), netra.event_days_of(uuid), netra.cut_events(int, int),
  netra.set_retention(text, text, timestamptz, int) to netra_app;
grant execute on function netra.event_days_of(uuid) to netra_system;
