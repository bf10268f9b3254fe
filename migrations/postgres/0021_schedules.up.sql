-- not breaking: adds schedules, which admit runs at the times of a cron expression
-- Times are computed by the server (time zones and their changes are a library's work); which node acts on one, and that
-- it is acted on once, is settled here.
create table netra.schedule (
  org_id          uuid not null,
  schedule_id     uuid not null,
  -- Its runs are this user's: by the rights and the plan of the moment that each is due.
  user_id         text not null,
  -- Null = each run gets a thread of its own.
  thread_id       uuid,
  agent           text not null check (length(agent) between 1 and 64),
  input           jsonb not null,
  cron            text not null check (length(cron) between 1 and 200),
  time_zone       text not null check (length(time_zone) between 1 and 64),
  if_busy         text not null check (if_busy in ('enqueue', 'reject', 'interrupt')),
  max_micro       bigint check (max_micro >= 0),
  -- stopped: its user has left the organisation; nobody else's rights take their place.
  state           text not null check (state in ('active', 'paused', 'stopped')),
  next_at         timestamptz,
  -- A node that acts on a due time has it alone until then; when it died, another one takes it.
  taken_until     timestamptz not null default '-infinity',
  last_due_at     timestamptz,
  last_run_id     uuid,
  -- {code, message}: why the last due time started no run; null when it did.
  last_refusal    jsonb,
  started         bigint not null default 0,
  refused         bigint not null default 0,
  idempotency_key text not null check (length(idempotency_key) between 1 and 255),
  request_hash    text not null,
  created_at      timestamptz not null default now(),
  primary key (org_id, schedule_id),
  check ((state = 'active') = (next_at is not null))
);
create unique index schedule_idempotency on netra.schedule (org_id, idempotency_key);
create index schedule_due on netra.schedule (next_at) where state = 'active';

alter table netra.schedule enable row level security;
alter table netra.schedule force row level security;
create policy tenant on netra.schedule to netra_app
  using (org_id = netra.current_org()) with check (org_id = netra.current_org());
create policy system on netra.schedule to netra_system using (true);
grant select, insert, update, delete on netra.schedule to netra_app;
grant select, update on netra.schedule to netra_system;

-- The same key and request again answers the same schedule. Refuses idempotency_key_reused, not_found, plan_limit.
create function netra.create_schedule(p_org uuid, p_schedule uuid, p_user text, p_thread uuid, p_agent text, p_input jsonb,
                                      p_cron text, p_time_zone text, p_if_busy text, p_max_micro bigint,
                                      p_next_at timestamptz, p_key text, p_hash text) returns setof netra.schedule
  language plpgsql as $$
declare
  v_known netra.schedule;
  v_terms netra.plan_terms;
  v_used bigint;
begin
  perform netra.enter_org(p_org);
  -- Two could each see the last free place.
  perform pg_advisory_xact_lock(1936, hashtext(p_org::text));
  select * into v_known from netra.schedule s where s.org_id = p_org and s.idempotency_key = p_key;
  if found then
    if v_known.request_hash <> p_hash then
      perform netra.refuse('idempotency_key_reused', 'This key was used to make another schedule.',
        jsonb_build_object('schedule', v_known.schedule_id));
    end if;
    return next v_known;
    return;
  end if;
  v_terms := netra.plan_of(p_org);
  perform netra.check_agent(p_agent, v_terms);
  if p_thread is not null
    and not exists (select from netra.thread t where t.org_id = p_org and t.thread_id = p_thread) then
    perform netra.refuse('not_found', 'There is no such thread.', jsonb_build_object('thread', p_thread));
  end if;
  select count(*) into v_used from netra.schedule s where s.org_id = p_org;
  if v_used >= netra.schedules_of(v_terms) then
    perform netra.refuse('plan_limit', format('The %s plan has %s schedules.', v_terms.plan_id, netra.schedules_of(v_terms)),
      jsonb_build_object('limit', 'schedules', 'used', v_used::text, 'max', netra.schedules_of(v_terms)::text,
        'plan_that_lifts_it', netra.plan_that_lifts('concurrent_runs', v_used / 10 + 1, null)));
  end if;
  return query
    insert into netra.schedule (org_id, schedule_id, user_id, thread_id, agent, input, cron, time_zone, if_busy,
      max_micro, state, next_at, idempotency_key, request_hash)
    values (p_org, p_schedule, p_user, p_thread, p_agent, p_input, p_cron, p_time_zone, p_if_busy, p_max_micro, 'active',
      p_next_at, p_key, p_hash)
    returning *;
end
$$;

-- By plan: ten for each run that may go on at once.
create function netra.schedules_of(p_terms netra.plan_terms) returns int
  language sql immutable as $$ select 10 * coalesce(p_terms.concurrent_runs, 100) $$;

-- Takes due schedules for a node, each for p_taken_ms; two nodes never get the same one, and none waits for the other.
create function netra.take_due_schedules(p_limit int, p_taken_ms int) returns setof netra.schedule
  language sql security definer set search_path = pg_catalog as $$
    update netra.schedule s set taken_until = now() + p_taken_ms * interval '1 millisecond'
    from (select d.org_id, d.schedule_id from netra.schedule d
           where d.state = 'active' and d.next_at <= now() and d.taken_until < now()
           order by d.next_at limit p_limit for no key update skip locked) due
    where s.org_id = due.org_id and s.schedule_id = due.schedule_id
    returning s.*
  $$;

-- What came of a due time; p_next_at null stops the schedule. False = it was changed meanwhile, which counts.
create function netra.note_due(p_org uuid, p_schedule uuid, p_due_at timestamptz, p_latest_at timestamptz,
                               p_next_at timestamptz, p_run uuid, p_refusal jsonb) returns boolean
  language plpgsql as $$
begin
  perform netra.enter_org(p_org);
  update netra.schedule s
  set state = case when p_next_at is null then 'stopped' else s.state end, next_at = p_next_at,
      taken_until = '-infinity', last_due_at = p_latest_at, last_run_id = coalesce(p_run, s.last_run_id),
      last_refusal = p_refusal, started = s.started + (p_run is not null)::int,
      refused = s.refused + (p_refusal is not null)::int
  where s.org_id = p_org and s.schedule_id = p_schedule and s.state = 'active' and s.next_at = p_due_at;
  return found;
end
$$;

do $$
declare
  v_function regprocedure;
begin
  grant create on schema netra to netra_system;
  alter function netra.take_due_schedules(int, int) owner to netra_system;
  revoke create on schema netra from netra_system;
  foreach v_function in array array['netra.schedules_of(netra.plan_terms)', 'netra.take_due_schedules(int, int)',
    'netra.create_schedule(uuid, uuid, text, uuid, text, jsonb, text, text, text, bigint, timestamptz, text, text)',
    'netra.note_due(uuid, uuid, timestamptz, timestamptz, timestamptz, uuid, jsonb)']::regprocedure[] loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('grant execute on function %s to netra_app', v_function);
  end loop;
end
$$;
