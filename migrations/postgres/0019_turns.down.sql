-- breaking: runs that wait or are scheduled are refused, a thread runs its runs side by side again
-- What has not begun has no place in what was before: it must have ended first.
do $$
begin
  if exists (select from netra.run r where r.state in ('scheduled', 'waiting')
             or (r.hold_id is null and r.ended_at is null)) then
    raise exception 'runs wait or are scheduled: let them end, or cancel them, first';
  end if;
end
$$;
drop trigger run_lets_next on netra.run;
drop trigger run_takes_turn on netra.run;
drop trigger run_takes_turn_again on netra.run;
drop function netra.admit_runs(jsonb);
drop function netra.admit_run(uuid, text, text, uuid, uuid, boolean, uuid, uuid, text, text, jsonb, bigint, text, text,
  text, int, uuid, bigint, text, text, timestamptz, boolean);
drop function netra.check_limits(uuid, text, netra.plan_terms, boolean);
create function netra.check_limits(p_org uuid, p_agent text, p_terms netra.plan_terms) returns void
  language plpgsql as $$
declare
  v_used bigint;
begin
  if not p_agent = any (p_terms.agents) then
    perform netra.refuse('agent_not_in_plan', format('The %s plan does not include the %s agent.', p_terms.plan_id, p_agent),
      jsonb_build_object('limit', 'agents', 'used', p_agent, 'max', array_to_string(p_terms.agents, ', '),
        'plan_that_lifts_it', netra.plan_that_lifts('agents', 1, p_agent)));
  end if;
  if p_terms.concurrent_runs is not null then
    select count(*) into v_used from netra.run r
    where r.org_id = p_org and r.state in ('queued', 'running', 'parked');
    if v_used >= p_terms.concurrent_runs then
      perform netra.refuse_limit('concurrent_runs', 'concurrent_runs', v_used, p_terms.concurrent_runs, null,
        format('The %s plan runs %s at once; wait for one to end.', p_terms.plan_id, p_terms.concurrent_runs));
    end if;
  end if;
  if p_terms.runs_month is not null then
    -- An hour of slack: run ids are made by servers' clocks, created_at by the database's.
    select count(*) into v_used from netra.run r
    where r.org_id = p_org and r.run_id >= netra.uuid_floor(p_terms.period_start - interval '1 hour')
      and r.created_at >= p_terms.period_start;
    if v_used >= p_terms.runs_month then
      perform netra.refuse_limit('plan_limit', 'runs_month', v_used, p_terms.runs_month, null,
        format('The %s plan has %s runs a month, and all are used.', p_terms.plan_id, p_terms.runs_month));
    end if;
  end if;
end
$$;

create function netra.admit_run(
  p_org uuid, p_user text, p_role text, p_run uuid, p_thread uuid, p_new_thread boolean, p_message uuid, p_hold uuid,
  p_agent text, p_model text, p_input jsonb, p_model_micro bigint, p_key text, p_hash text, p_node text,
  p_lease_ms int, p_token uuid
) returns table (
  run_id uuid, thread_id uuid, replayed boolean, state text, at timestamptz, hold_id uuid, fee_micro bigint,
  held_micro bigint, deadline_at timestamptz, deadline_in_ms int
)
  language plpgsql as $$
declare
  v_known netra.run;
  v_terms netra.plan_terms;
  v_fee_micro bigint;
  v_deadline_at timestamptz;
begin
  perform netra.enter_org(p_org);
  -- One admission of an organisation at a time: two could each see the last free place. In memory, and only this
  -- organisation waits.
  perform pg_advisory_xact_lock(1936, hashtext(p_org::text));
  select * into v_known from netra.run r where r.org_id = p_org and r.idempotency_key = p_key;
  if found then
    if v_known.request_hash <> p_hash then
      perform netra.refuse('idempotency_key_reused', 'This key was used to start another run.',
        jsonb_build_object('run', v_known.run_id));
    end if;
    return query select v_known.run_id, v_known.thread_id, true, v_known.state, v_known.created_at, v_known.hold_id,
      v_known.fee_micro, null::bigint, v_known.deadline_at, null::int;
    return;
  end if;

  v_terms := netra.plan_of(p_org);
  perform netra.check_limits(p_org, p_agent, v_terms);
  v_fee_micro := netra.agent_fee_of(p_agent);
  if v_fee_micro is null or p_model is null then
    perform netra.refuse('not_found', format('There is no agent %L.', p_agent), jsonb_build_object('agent', p_agent));
  end if;
  perform netra.place_hold(p_org, p_hold, v_fee_micro + p_model_micro, 'run', p_agent, p_run, 'run/' || p_run);

  if not p_new_thread
    and not exists (select from netra.thread t where t.org_id = p_org and t.thread_id = p_thread) then
    perform netra.refuse('not_found', 'There is no such thread.', jsonb_build_object('thread', p_thread));
  end if;
  if p_node is not null then
    v_deadline_at := now() + v_terms.seconds_run * interval '1 second';
  end if;
  with thread as (
    insert into netra.thread (org_id, thread_id, user_id) select p_org, p_thread, p_user where p_new_thread
  ), message as (
    insert into netra.message (org_id, thread_id, message_id, run_id, author, content)
    values (p_org, p_thread, p_message, p_run, 'user', p_input)
  )
  insert into netra.run (org_id, run_id, thread_id, user_id, role, agent, model, input, state, priority, last_seq,
    attempt, lease_token, lease_node, lease_until, hold_id, fee_micro, seconds_max, deadline_at, idempotency_key,
    request_hash)
  values (p_org, p_run, p_thread, p_user, p_role, p_agent, p_model, p_input,
    case when p_node is null then 'queued' else 'running' end, v_terms.priority, 1,
    case when p_node is null then 0 else 1 end,
    case when p_node is not null then p_token end, p_node,
    case when p_node is not null then now() + p_lease_ms * interval '1 millisecond' end,
    p_hold, v_fee_micro, v_terms.seconds_run, v_deadline_at, p_key, p_hash);
  perform netra.open_log(p_org, p_run, jsonb_build_object('agent', p_agent, 'model', p_model, 'thread', p_thread,
    'held_micro', (v_fee_micro + p_model_micro)::text));
  return query select p_run, p_thread, false, case when p_node is null then 'queued' else 'running' end, now(),
    p_hold, v_fee_micro, v_fee_micro + p_model_micro, v_deadline_at,
    case when p_node is not null then v_terms.seconds_run * 1000 end;
end
$$;

create function netra.admit_runs(p_batch jsonb) returns table (
  slot int, run_id uuid, thread_id uuid, replayed boolean, state text, at timestamptz, hold_id uuid, fee_micro bigint,
  held_micro bigint, deadline_at timestamptz, deadline_in_ms int
)
  language plpgsql as $$
declare
  v_ask jsonb;
begin
  slot := 0;
  for v_ask in select a.value from jsonb_array_elements(p_batch) a loop
    slot := slot + 1;
    begin
      select r.* into strict run_id, thread_id, replayed, state, at, hold_id, fee_micro, held_micro, deadline_at,
        deadline_in_ms
      from netra.admit_run((v_ask ->> 0)::uuid, v_ask ->> 1, v_ask ->> 2, (v_ask ->> 3)::uuid, (v_ask ->> 4)::uuid,
        (v_ask ->> 5)::boolean, (v_ask ->> 6)::uuid, (v_ask ->> 7)::uuid, v_ask ->> 8, v_ask ->> 9, v_ask -> 10,
        (v_ask ->> 11)::bigint, v_ask ->> 12, v_ask ->> 13, v_ask ->> 14, (v_ask ->> 15)::int,
        (v_ask ->> 16)::uuid) r;
      return next;
    exception when others then null;
    end;
  end loop;
end
$$;

create or replace function netra.cancel_run(p_org uuid, p_run uuid, p_by text) returns table (state text)
  language plpgsql as $$
declare
  v_run netra.run;
begin
  perform netra.enter_org(p_org);
  select * into v_run from netra.run r where r.org_id = p_org and r.run_id = p_run;
  if not found then
    perform netra.refuse('not_found', 'There is no such run.');
  elsif v_run.state = 'running' then
    update netra.run r
    set cancel_requested_at = coalesce(r.cancel_requested_at, now()),
        cancel_requested_by = coalesce(r.cancel_requested_by, p_by)
    where r.org_id = p_org and r.run_id = p_run and r.state = 'running';
    if not found then
      raise exception 'the run changed its state in between' using errcode = '40001';
    end if;
  elsif v_run.state in ('queued', 'parked') then
    if netra.end_run(v_run, null, v_run.last_seq, '[]', 'agent_cancelled', jsonb_build_object('by', p_by), 0, null,
      '[]') is null then
      raise exception 'the run was claimed in between' using errcode = '40001';
    end if;
  end if;
  return query select r.state from netra.run r where r.org_id = p_org and r.run_id = p_run;
end
$$;

drop function netra.claim_runs(text, int, int, uuid[]);
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

grant create on schema netra to netra_system;
alter function netra.claim_runs(text, int, int) owner to netra_system;
revoke create on schema netra from netra_system;
revoke execute on function netra.claim_runs(text, int, int) from public;
grant execute on function netra.claim_runs(text, int, int) to netra_app;
grant execute on function netra.check_limits(uuid, text, netra.plan_terms), netra.admit_runs(jsonb),
  netra.admit_run(uuid, text, text, uuid, uuid, boolean, uuid, uuid, text, text, jsonb, bigint, text, text, text, int,
    uuid) to netra_app;

drop function netra.start_due_run(uuid, uuid, uuid, jsonb, int);
drop function netra.due_runs(int);
drop function netra.begin_run(uuid, uuid, uuid, uuid, text);
drop function netra.note_begun(uuid, uuid, uuid, uuid, bigint);
drop function netra.hold_for_run(uuid, text, uuid, uuid, text, bigint, text);
drop function netra.fee_of_run(text, bigint, text);
drop function netra.runs_at_once(uuid);
drop function netra.check_later(uuid, netra.plan_terms);
drop function netra.make_way(uuid, uuid, text, text);
drop function netra.interrupt_thread(uuid, uuid, text);
drop function netra.busy_run(uuid, uuid);
drop function netra.in_use(uuid, uuid);
drop function netra.move_run(uuid, uuid, text, timestamptz);
drop function netra.run_has_ended();
drop function netra.let_stuck_runs(int);
drop function netra.let_next(uuid, uuid);
drop function netra.take_turn();
drop function netra.next_turn(uuid, smallint);

drop index netra.run_due;
drop index netra.run_later;
drop index netra.run_turn;
drop index netra.run_active;
create index run_active on netra.run (org_id) where state in ('queued', 'running', 'parked');
drop index netra.run_queued;
create index run_queued on netra.run (priority desc, run_id) where state = 'queued';
-- A run that ended before it began held nothing; its row says so by an id that no hold has.
update netra.run set hold_id = run_id where hold_id is null;
alter table netra.run
  drop constraint run_held_check,
  drop constraint run_state_check,
  add constraint run_state_check check (state in ('queued', 'running', 'parked', 'completed', 'failed', 'cancelled')),
  alter column hold_id set not null,
  drop column turn,
  drop column if_busy,
  drop column start_at;
