-- not breaking: adds threads, messages, runs and their event log
-- R1: the log is written only by functions of netra_log, and only under the lease token of the run. netra_app can read
-- it, and can insert a run; it cannot touch a lease, a head or an event (docs/decisions/0005-the-log.md).

-- A migrator that is not a superuser must be a member of a role to give it functions.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['netra_log', 'netra_system'] loop
    if not pg_has_role(current_user, role_name, 'member') then
      execute format('grant %I to current_user', role_name);
    end if;
  end loop;
end
$$;
grant create on schema netra to netra_log, netra_system;

-- No foreign keys from here on: an id of another organisation cannot be written (T1), the functions below check what
-- they refer to, and the check of a key locks the row of the organisation in each transaction.
create table netra.thread (
  org_id     uuid not null,
  thread_id  uuid not null,
  user_id    text not null,
  title      text not null default '' check (length(title) <= 200),
  created_at timestamptz not null default now(),
  primary key (org_id, thread_id)
);

create table netra.message (
  org_id     uuid not null,
  thread_id  uuid not null,
  message_id uuid not null,
  run_id     uuid not null,
  author     text not null check (author in ('user', 'agent')),
  content    jsonb not null,
  created_at timestamptz not null default now(),
  primary key (org_id, thread_id, message_id)
);

-- fillfactor: last_seq and lease_until change with every append; with room on the page and no index on them, each
-- change is a HOT update and touches no index.
create table netra.run (
  org_id              uuid not null,
  run_id              uuid not null,
  thread_id           uuid not null,
  user_id             text not null,
  role                text not null,
  agent               text not null check (length(agent) between 1 and 64),
  model               text not null,
  input               jsonb not null,
  state               text not null check (state in ('queued', 'running', 'parked', 'completed', 'failed', 'cancelled')),
  priority            smallint not null default 0,
  last_seq            int not null default 0,
  epoch               int not null default 1,
  attempt             int not null default 0,
  lease_token         uuid,
  lease_node          text,
  lease_until         timestamptz,
  ready_at            timestamptz not null default now(),
  hold_id             uuid not null,
  fee_micro           bigint not null check (fee_micro >= 0),
  seconds_max         int check (seconds_max > 0),
  deadline_at         timestamptz,
  parked_at           timestamptz,
  cancel_requested_at timestamptz,
  cancel_requested_by text,
  idempotency_key     text not null check (length(idempotency_key) between 1 and 255),
  request_hash        text not null,
  ended_by_token      uuid,
  created_at          timestamptz not null default now(),
  ended_at            timestamptz,
  primary key (org_id, run_id),
  -- A lease exists exactly while the run is being worked on.
  check ((state = 'running') = (lease_token is not null)),
  check ((lease_token is null) = (lease_until is null)),
  check ((state in ('completed', 'failed', 'cancelled')) = (ended_at is not null))
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
create unique index run_idempotency on netra.run (org_id, idempotency_key);
create index run_active on netra.run (org_id) where state in ('queued', 'running', 'parked');
create index run_queued on netra.run (priority desc, run_id) where state = 'queued';
create index run_leased on netra.run (run_id) where state = 'running';

create table netra.event (
  org_id uuid not null,
  run_id uuid not null,
  seq    int not null check (seq > 0),
  at     timestamptz not null,
  type   text not null,
  data   jsonb not null,
  primary key (org_id, run_id, seq)
);

do $$
declare
  table_name text;
begin
  foreach table_name in array array['thread', 'message', 'run', 'event'] loop
    execute format('alter table netra.%I enable row level security', table_name);
    execute format('alter table netra.%I force row level security', table_name);
    execute format('create policy tenant on netra.%I to netra_app
      using (org_id = netra.current_org()) with check (org_id = netra.current_org())', table_name);
  end loop;
end
$$;
create policy log on netra.run to netra_log using (true);
create policy log on netra.event to netra_log using (true) with check (true);
create policy system on netra.run to netra_system using (true);
create policy system on netra.event for select to netra_system using (true);

grant select, insert on netra.thread, netra.message to netra_app;
grant select, insert on netra.run to netra_app;
grant update (cancel_requested_at, cancel_requested_by) on netra.run to netra_app;
grant select on netra.event to netra_app;
grant select, update on netra.run to netra_log;
grant select, insert on netra.event to netra_log;
grant select, update on netra.run to netra_system;
grant select on netra.event to netra_system;

-- What a worker needs to know of a run that it holds.
create type netra.claimed_run as (
  org_id uuid, run_id uuid, thread_id uuid, user_id text, role text, agent text, model text, input jsonb,
  hold_id uuid, fee_micro bigint, lease_token uuid, attempt int, deadline_at timestamptz, deadline_in_ms int,
  idempotency_key text, last_seq int, epoch int, cancel_requested_by text
);

create function netra.claimed(r netra.run) returns netra.claimed_run
  language sql stable
  return row(r.org_id, r.run_id, r.thread_id, r.user_id, r.role, r.agent, r.model, r.input, r.hold_id, r.fee_micro,
    r.lease_token, r.attempt, r.deadline_at, (extract(epoch from r.deadline_at - now()) * 1000)::int,
    r.idempotency_key, r.last_seq, r.epoch, r.cancel_requested_by)::netra.claimed_run;
grant execute on function netra.claimed(netra.run) to netra_app, netra_log, netra_system;

-- Appends to many runs in one statement. p_events holds one array a run, in the order of p_runs, of [type, data] pairs.
-- The fence is the token *and* the head that the writer saw: a batch sent twice cannot go in twice. A run that does
-- not come back in the answer was not appended to. An append renews the lease: the writer is plainly alive.
create function netra.append_events(
  p_orgs uuid[], p_runs uuid[], p_tokens uuid[], p_heads int[], p_events jsonb, p_lease_ms int
) returns table (slot int, at timestamptz)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query
    with batch as materialized (
      select b.org_id, b.run_id, b.token, b.head, b.slot::int as slot, p_events -> (b.slot - 1)::int as events
      from unnest(p_orgs, p_runs, p_tokens, p_heads) with ordinality as b(org_id, run_id, token, head, slot)
    ), moved as (
      update netra.run r
      set last_seq = b.head + jsonb_array_length(b.events),
          lease_until = now() + p_lease_ms * interval '1 millisecond'
      from batch b
      where r.org_id = b.org_id and r.run_id = b.run_id and r.lease_token = b.token and r.last_seq = b.head
      returning r.org_id, r.run_id, b.slot, b.head, b.events
    ), logged as (
      insert into netra.event (org_id, run_id, seq, at, type, data)
      select m.org_id, m.run_id, m.head + e.i, now(), e.pair ->> 0, e.pair -> 1
      from moved m cross join lateral jsonb_array_elements(m.events) with ordinality as e(pair, i)
    )
    select m.slot, now() from moved m;
end
$$;

-- Event 1 of a run that this transaction inserted.
create function netra.open_log(p_org uuid, p_run uuid, p_data jsonb) returns timestamptz
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into netra.event (org_id, run_id, seq, at, type, data)
  select r.org_id, r.run_id, 1, now(), 'agent_started', p_data
  from netra.run r where r.org_id = p_org and r.run_id = p_run and r.last_seq = 1
    and r.org_id = netra.current_org();
  return now();
end
$$;

-- The last append under a lease: the events go in and the lease ends with them (parked, or one of the terminal
-- states). p_token null: nobody holds the run, and it must be queued or parked. False = fenced, nothing changed.
create function netra.close_log(p_org uuid, p_run uuid, p_token uuid, p_head int, p_events jsonb, p_state text)
  returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  with closed as (
    update netra.run r
    set last_seq = r.last_seq + jsonb_array_length(p_events),
        state = p_state,
        lease_token = null, lease_node = null, lease_until = null,
        parked_at = case when p_state = 'parked' then now() end,
        ended_by_token = case when p_state <> 'parked' then p_token end,
        ended_at = case when p_state <> 'parked' then now() end
    where r.org_id = p_org and r.run_id = p_run and r.org_id = netra.current_org()
      and r.lease_token is not distinct from p_token and r.last_seq = coalesce(p_head, r.last_seq)
      and (p_token is not null or r.state in ('queued', 'parked'))
    returning r.last_seq - jsonb_array_length(p_events) as head
  )
  insert into netra.event (org_id, run_id, seq, at, type, data)
  select p_org, p_run, c.head + e.i, now(), e.pair ->> 0, e.pair -> 1
  from closed c cross join lateral jsonb_array_elements(p_events) with ordinality as e(pair, i);
  return found or (jsonb_array_length(p_events) = 0 and exists (
    select from netra.run r where r.org_id = p_org and r.run_id = p_run and r.state = p_state and r.last_seq = p_head));
end
$$;

-- A person's answer to a parked run: logs it and, when it is the last one (p_ready), puts the run back in the queue; the
-- time it waited is not its own.
create function netra.unpark(p_org uuid, p_run uuid, p_events jsonb, p_ready boolean) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_head int;
begin
  update netra.run r
  set last_seq = r.last_seq + jsonb_array_length(p_events),
      state = case when p_ready then 'queued' else r.state end,
      ready_at = now(),
      deadline_at = case when p_ready then r.deadline_at + (now() - r.parked_at) else r.deadline_at end,
      parked_at = case when not p_ready then r.parked_at end,
      attempt = 0
  where r.org_id = p_org and r.run_id = p_run and r.org_id = netra.current_org() and r.state = 'parked'
  returning r.last_seq - jsonb_array_length(p_events) into v_head;
  if not found then
    return false;
  end if;
  insert into netra.event (org_id, run_id, seq, at, type, data)
  select p_org, p_run, v_head + e.i, now(), e.pair ->> 0, e.pair -> 1
  from jsonb_array_elements(p_events) with ordinality as e(pair, i);
  return true;
end
$$;

-- Takes up to p_limit runs: expired leases first (someone waits for those already), then the queue by priority.
-- skip locked: two nodes never wait for each other, and never get the same run.
create function netra.claim_runs(p_node text, p_limit int, p_lease_ms int) returns setof netra.claimed_run
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query
    with expired as (
      select r.org_id, r.run_id from netra.run r
      where r.state = 'running' and r.lease_until < now()
      order by r.run_id limit p_limit for no key update skip locked
    ), queued as (
      select r.org_id, r.run_id from netra.run r
      where r.state = 'queued' and r.ready_at <= now()
      order by r.priority desc, r.run_id limit p_limit for no key update skip locked
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

-- Renews the leases of a node. A row that an append or a finish holds at this moment is skipped, not waited for: an
-- append renews the lease itself, and waiting here for one row while holding others could deadlock with the writer.
-- A run that does not come back is lost to its caller.
create function netra.heartbeat_runs(p_orgs uuid[], p_runs uuid[], p_tokens uuid[], p_lease_ms int)
  returns table (run_id uuid, cancel_requested_by text)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query
    with batch as materialized (
      select b.org_id, b.run_id, b.token from unnest(p_orgs, p_runs, p_tokens) as b(org_id, run_id, token)
    ), free as (
      select r.org_id, r.run_id from batch b
      join netra.run r on r.org_id = b.org_id and r.run_id = b.run_id and r.lease_token = b.token
      for no key update of r skip locked
    ), renewed as (
      update netra.run r set lease_until = now() + p_lease_ms * interval '1 millisecond'
      from free f where r.org_id = f.org_id and r.run_id = f.run_id
    )
    select r.run_id, r.cancel_requested_by from batch b
    join netra.run r on r.org_id = b.org_id and r.run_id = b.run_id and r.lease_token = b.token;
end
$$;

-- Gives leases back to the queue. p_given_back: the attempt was not the run's fault (drain), so it does not count.
create function netra.release_runs(p_orgs uuid[], p_runs uuid[], p_tokens uuid[], p_given_back boolean, p_wait_ms int)
  returns setof uuid
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query
    update netra.run r
    set state = 'queued', lease_token = null, lease_node = null, lease_until = null,
        ready_at = now() + p_wait_ms * interval '1 millisecond',
        attempt = r.attempt - case when p_given_back then 1 else 0 end
    from unnest(p_orgs, p_runs, p_tokens) as b(org_id, run_id, token)
    where r.org_id = b.org_id and r.run_id = b.run_id and r.lease_token = b.token
    returning r.run_id;
end
$$;

-- A run's head and a page of its log, as of one snapshot; no rows = no such run in this organisation. A run whose page
-- is empty gives one row with seq null.
create function netra.read_log(p_org uuid, p_run uuid, p_after int, p_limit int)
  returns table (state text, epoch int, last_seq int, lease_token uuid, seq int, at timestamptz, type text, data jsonb)
  language plpgsql as $$
begin
  perform netra.enter_org(p_org);
  return query
    select r.state, r.epoch, r.last_seq, r.lease_token, e.seq, e.at, e.type, e.data
    from netra.run r
    left join lateral (
      select e.seq, e.at, e.type, e.data from netra.event e
      where e.org_id = p_org and e.run_id = p_run and e.seq > p_after order by e.seq limit p_limit
    ) e on true
    where r.org_id = p_org and r.run_id = p_run
    order by e.seq;
end
$$;

-- R1 and R2 on a living installation; each row is a breach. Read-only.
create function netra.check_run_log(p_stale_ms int) returns table (org_id uuid, run_id uuid, breach text)
  language sql stable security definer set search_path = pg_catalog as $$
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

alter function netra.append_events(uuid[], uuid[], uuid[], int[], jsonb, int) owner to netra_log;
alter function netra.open_log(uuid, uuid, jsonb) owner to netra_log;
alter function netra.close_log(uuid, uuid, uuid, int, jsonb, text) owner to netra_log;
alter function netra.unpark(uuid, uuid, jsonb, boolean) owner to netra_log;
alter function netra.claim_runs(text, int, int) owner to netra_system;
alter function netra.heartbeat_runs(uuid[], uuid[], uuid[], int) owner to netra_system;
alter function netra.release_runs(uuid[], uuid[], uuid[], boolean, int) owner to netra_system;
alter function netra.check_run_log(int) owner to netra_system;
revoke create on schema netra from netra_log, netra_system;

grant execute on function
  netra.read_log(uuid, uuid, int, int),
  netra.append_events(uuid[], uuid[], uuid[], int[], jsonb, int),
  netra.open_log(uuid, uuid, jsonb),
  netra.close_log(uuid, uuid, uuid, int, jsonb, text),
  netra.unpark(uuid, uuid, jsonb, boolean),
  netra.claim_runs(text, int, int),
  netra.heartbeat_runs(uuid[], uuid[], uuid[], int),
  netra.release_runs(uuid[], uuid[], uuid[], boolean, int),
  netra.check_run_log(int)
to netra_app;
