-- breaking: a node of before would work on a run that waits behind another of its thread
-- Whose turn it is. In a thread one run at a time: a later one waits, refuses or interrupts. A run can be admitted for
-- later. And the queue serves organisations in turn, by the weight of their plans (docs/decisions/0021-whose-turn.md).
--
-- Two new states of a run: 'scheduled' (its time lies ahead) and 'waiting' (behind another in its thread). Both hold no
-- credits and take none of the plan's places: hold_id is null until a worker begins with the run.
alter table netra.run
  alter column hold_id drop not null,
  drop constraint run_state_check,
  -- not valid: every row that passed the narrower check passes this one.
  add constraint run_state_check check (state in ('scheduled', 'waiting', 'queued', 'running', 'parked', 'completed',
    'failed', 'cancelled')) not valid,
  add constraint run_held_check check (hold_id is not null or state <> 'parked') not valid,
  -- The run's place in the queue: a moment of the queue's own time, see netra.next_turn().
  add column turn bigint not null default 0,
  -- What to do if the thread is busy when a scheduled run is due.
  add column if_busy text check (if_busy in ('enqueue', 'reject', 'interrupt')),
  add column start_at timestamptz;

drop index netra.run_queued;
create index run_queued on netra.run (turn, run_id) where state = 'queued';
create index run_turn on netra.run (org_id, turn) where state = 'queued';
drop index netra.run_active;
create index run_active on netra.run (org_id, thread_id) where state in ('queued', 'running', 'parked');
create index run_later on netra.run (org_id, thread_id, ready_at, run_id) where state in ('scheduled', 'waiting');
create index run_due on netra.run (ready_at) where state = 'scheduled';

-- Self-clocked fair queueing. The queue's time is the turn of its head; an organisation's next run comes one step after
-- that, or after its own last one in the queue. A step is short for a plan of high priority: the weight of a plan is
-- 10 + its priority. So whoever has one run waits for at most 1 + (their weight / the own one) runs of each other
-- organisation, however many those have queued, and nobody waits for ever. Two probes of an index, and no row that all
-- would write.
create function netra.next_turn(p_org uuid, p_priority smallint) returns bigint
  language sql stable security definer set search_path = pg_catalog as $$
  select greatest(
      coalesce((select r.turn from netra.run r where r.state = 'queued' and r.ready_at <= now()
                 order by r.turn limit 1), 0),
      coalesce((select r.turn from netra.run r where r.org_id = p_org and r.state = 'queued'
                 order by r.turn desc limit 1), 0))
    + greatest(10000 / (10 + greatest(p_priority, 0)), 1)
$$;

-- Whatever enters the queue gets its turn here, on whichever way it comes. A run that a worker gives back has had one.
create function netra.take_turn() returns trigger language plpgsql as $$
begin
  new.turn := netra.next_turn(new.org_id, new.priority);
  return new;
end
$$;
create trigger run_takes_turn before insert on netra.run
  for each row when (new.state = 'queued') execute function netra.take_turn();
create trigger run_takes_turn_again before update of state on netra.run
  for each row when (new.state = 'queued' and old.state not in ('queued', 'running')) execute function netra.take_turn();

-- As before, in the order of turns. p_held: what the caller works on and is late to renew, which is no reason to take it
-- from itself.
drop function netra.claim_runs(text, int, int);
create function netra.claim_runs(p_node text, p_limit int, p_lease_ms int, p_held uuid[] default '{}')
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

-- Lets the first that waits in a thread into the queue, if the thread is free. skip locked: who is being cancelled at
-- this moment does not hold the others up.
create function netra.let_next(p_org uuid, p_thread uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_next uuid;
begin
  select r.run_id into v_next from netra.run r
   where r.org_id = p_org and r.org_id = netra.current_org() and r.thread_id = p_thread and r.state = 'waiting'
     and not exists (select from netra.run a where a.org_id = p_org and a.thread_id = p_thread
                        and a.state in ('queued', 'running', 'parked'))
   order by r.ready_at, r.run_id limit 1 for no key update skip locked;
  if not found then return false; end if;
  update netra.run r set state = 'queued', ready_at = now() where r.org_id = p_org and r.run_id = v_next;
  return true;
end
$$;

-- Threads that are free while somebody waits in them, see skip locked above. Returns how many.
create function netra.let_stuck_runs(p_limit int) returns bigint
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org uuid;
  v_thread uuid;
  v_freed bigint := 0;
begin
  for v_org, v_thread in
    select distinct r.org_id, r.thread_id from netra.run r
     where r.state = 'waiting' and r.ready_at < now() - interval '10 seconds'
       and not exists (select from netra.run a where a.org_id = r.org_id and a.thread_id = r.thread_id
                          and a.state in ('queued', 'running', 'parked'))
     limit p_limit
  loop
    perform netra.enter_org(v_org);
    if netra.let_next(v_org, v_thread) then v_freed := v_freed + 1; end if;
  end loop;
  return v_freed;
end
$$;

-- The end of a run lets the next of its thread in, in the same transaction: whatever ended it, nobody has to remember.
-- Who came to wait meanwhile holds the row of the run that ends (netra.busy_run), so this statement sees them.
create function netra.run_has_ended() returns trigger language plpgsql as $$
begin
  perform netra.let_next(new.org_id, new.thread_id);
  return null;
end
$$;
create trigger run_lets_next after update of state on netra.run
  for each row when (old.ended_at is null and new.ended_at is not null) execute function netra.run_has_ended();

-- Moves a run that no worker has had yet.
create function netra.move_run(p_org uuid, p_run uuid, p_state text, p_ready_at timestamptz) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  update netra.run r set state = p_state, ready_at = p_ready_at
   where r.org_id = p_org and r.run_id = p_run and r.org_id = netra.current_org()
     and r.state in ('scheduled', 'waiting') and p_state in ('scheduled', 'waiting', 'queued');
  return found;
end
$$;

-- The run that a thread is busy with, or null. Its row is locked, so that it cannot end before the caller's transaction
-- does: its end will see who waits. Lock order: the caller holds the organisation's admission lock and takes no wallet
-- afterwards; an end holds its wallet when it waits for the row.
create function netra.busy_run(p_org uuid, p_thread uuid) returns uuid
  language plpgsql as $$
declare
  v_run uuid;
begin
  for v_pass in 1..100 loop
    select r.run_id into v_run from netra.run r
     where r.org_id = p_org and r.thread_id = p_thread and r.state in ('queued', 'running', 'parked')
     order by r.run_id limit 1 for no key update;
    if found then return v_run; end if;
    -- It may have ended while we waited for its row, and have let in another that this statement could not see.
    perform netra.let_next(p_org, p_thread);
    if not netra.in_use(p_org, p_thread) then return null; end if;
  end loop;
  raise exception 'the thread does not come to rest' using errcode = '40001';
end
$$;

-- Whether a run of the thread has begun, or waits to. Under the admission lock a thread that is not stays so.
create function netra.in_use(p_org uuid, p_thread uuid) returns boolean
  language sql stable as $$
  select exists (select from netra.run r where r.org_id = p_org and r.thread_id = p_thread
                    and r.state in ('queued', 'running', 'parked'))
      or exists (select from netra.run r where r.org_id = p_org and r.thread_id = p_thread and r.state = 'waiting')
$$;

-- Cancels all that the thread has begun, and all that waits in it: what somebody is working on is asked to stop, the
-- rest ends here. Runs whose credits are held come first: their wallet must not be waited for with a run's row in hand.
create function netra.interrupt_thread(p_org uuid, p_thread uuid, p_by text) returns uuid[]
  language plpgsql as $$
declare
  v_run uuid;
  v_cancelled uuid[] := '{}';
begin
  for v_pass in 1..10000 loop
    select r.run_id into v_run from netra.run r
     where r.org_id = p_org and r.thread_id = p_thread and r.state in ('waiting', 'queued', 'running', 'parked')
       and r.cancel_requested_at is null
     order by r.state = 'running', r.hold_id is null, r.run_id limit 1;
    exit when not found;
    perform netra.cancel_run(p_org, v_run, p_by);
    v_cancelled := v_cancelled || v_run;
  end loop;
  return v_cancelled;
end
$$;

-- Applies what a run asked for to its thread: null = the thread is free and the run goes into the queue, else the run
-- that it waits behind. Refuses thread_busy, queue_full. The caller holds the admission lock.
create function netra.make_way(p_org uuid, p_thread uuid, p_if_busy text, p_by text,
                               out behind uuid, out interrupted uuid[])
  language plpgsql as $$
declare
  v_waiting bigint;
  v_state text;
begin
  interrupted := '{}';
  if p_if_busy = 'interrupt' then
    interrupted := netra.interrupt_thread(p_org, p_thread, p_by);
  end if;
  behind := netra.busy_run(p_org, p_thread);
  if behind is null then return; end if;
  if p_if_busy = 'reject' then
    select r.state into v_state from netra.run r where r.org_id = p_org and r.run_id = behind;
    perform netra.refuse('thread_busy', 'The thread is busy with another run.',
      jsonb_build_object('run', behind, 'thread', p_thread, 'state', v_state));
  end if;
  select count(*) into v_waiting from netra.run r
   where r.org_id = p_org and r.thread_id = p_thread and r.state = 'waiting';
  if v_waiting >= 100 then
    perform netra.refuse('queue_full', 'Too many runs wait in this thread; wait for one to end.',
      jsonb_build_object('limit', 'waiting_thread', 'used', v_waiting::text, 'max', '100', 'plan_that_lifts_it', null));
  end if;
end
$$;

-- How many runs of the organisation may be waiting or scheduled: a hundred for each that may go on at once.
create function netra.check_later(p_org uuid, p_terms netra.plan_terms) returns void
  language plpgsql as $$
declare
  v_max bigint := 100 * coalesce(p_terms.concurrent_runs, 100);
  v_used bigint;
begin
  select count(*) into v_used from netra.run r where r.org_id = p_org and r.state in ('scheduled', 'waiting');
  if v_used >= v_max then
    perform netra.refuse('queue_full', format('%s runs of your organisation wait for their turn already.', v_used),
      jsonb_build_object('limit', 'waiting_org', 'used', v_used::text, 'max', v_max::text,
        'plan_that_lifts_it', netra.plan_that_lifts('concurrent_runs', v_used / 100 + 1, null)));
  end if;
end
$$;

-- As in 0007. p_begins: the run would be one of those at once.
drop function netra.check_limits(uuid, text, netra.plan_terms);
create function netra.check_limits(p_org uuid, p_agent text, p_terms netra.plan_terms, p_begins boolean) returns void
  language plpgsql as $$
declare
  v_used bigint;
begin
  perform netra.check_agent(p_agent, p_terms);
  if p_begins and p_terms.concurrent_runs is not null then
    v_used := netra.runs_at_once(p_org);
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

-- A parked run is not among them: it waits for a person or for credits, has no worker, and may do so for days.
create function netra.runs_at_once(p_org uuid) returns bigint
  language sql stable as $$
  select count(*) from netra.run r where r.org_id = p_org and r.state in ('queued', 'running')
$$;

-- What a run of an agent costs at least, by what this node does about credits; refuses not_found, budget_reached.
create function netra.fee_of_run(p_agent text, p_max_micro bigint, p_credits text) returns bigint
  language plpgsql as $$
declare
  v_fee_micro bigint := netra.agent_fee_of(p_agent);
begin
  if v_fee_micro is null then
    perform netra.refuse('not_found', format('There is no agent %L.', p_agent), jsonb_build_object('agent', p_agent));
  end if;
  if p_credits = 'off' then return 0; end if;
  if p_credits = 'enforce' and v_fee_micro > p_max_micro then
    perform netra.refuse('budget_reached',
      format('A run of the %s agent costs %s credits at least.', p_agent, round(v_fee_micro / 1e6, 2)),
      jsonb_build_object('limit', 'max_credits', 'used', v_fee_micro::text, 'max', p_max_micro::text,
        'plan_that_lifts_it', null));
  end if;
  return v_fee_micro;
end
$$;

create function netra.hold_for_run(p_org uuid, p_user text, p_run uuid, p_hold uuid, p_agent text, p_amount_micro bigint,
                                   p_credits text) returns void
  language plpgsql as $$
begin
  perform netra.place_hold(p_org, p_hold, p_amount_micro, 'run', p_agent, p_run, 'run/' || p_run,
    p_user => p_user, p_beyond => case p_credits when 'observe' then 'observe' else 'plan' end);
end
$$;

-- Admits a run: limits, hold, run row, user message and event 1, or nothing at all. The same key and request again
-- answers the same run. With p_node the admitting node gets the lease in the same transaction, if the run begins now.
-- p_new_thread: p_thread is to be made. p_credits: what this node does about credits: `enforce`; `observe` never refuses
-- for credits or caps; `off` holds and charges nothing. Plan limits hold in each.
-- p_if_busy says what to do if the thread is busy; p_start_at, when the run is to begin. A run that does not begin now
-- holds nothing, and takes no place of the plan's runs at once; the limits are looked at again when it begins.
-- p_alone: false among others in one transaction. Waiting for the row of a busy thread's run must not happen there, since
-- the others take wallets: it fails, and is asked again alone.
drop function netra.admit_run(uuid, text, text, uuid, uuid, boolean, uuid, uuid, text, text, jsonb, bigint, text, text,
  text, int, uuid);
create function netra.admit_run(
  p_org uuid, p_user text, p_role text, p_run uuid, p_thread uuid, p_new_thread boolean, p_message uuid, p_hold uuid,
  p_agent text, p_model text, p_input jsonb, p_model_micro bigint, p_key text, p_hash text, p_node text,
  p_lease_ms int, p_token uuid, p_max_micro bigint default null, p_credits text default 'enforce',
  p_if_busy text default 'enqueue', p_start_at timestamptz default null, p_alone boolean default true
) returns table (
  run_id uuid, thread_id uuid, replayed boolean, state text, at timestamptz, hold_id uuid, fee_micro bigint,
  held_micro bigint, deadline_at timestamptz, deadline_in_ms int, behind uuid, interrupted uuid[]
)
  language plpgsql as $$
declare
  v_known netra.run;
  v_terms netra.plan_terms;
  v_free boolean;
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
      v_known.fee_micro, null::bigint, v_known.deadline_at, null::int, null::uuid, '{}'::uuid[];
    return;
  end if;

  v_terms := netra.plan_of(p_org);
  if not p_new_thread
    and not exists (select from netra.thread t where t.org_id = p_org and t.thread_id = p_thread) then
    perform netra.refuse('not_found', 'There is no such thread.', jsonb_build_object('thread', p_thread));
  end if;
  interrupted := '{}';
  v_free := p_new_thread or not netra.in_use(p_org, p_thread);
  state := case when p_start_at > now() then 'scheduled' when v_free and p_node is not null then 'running' else 'queued' end;
  if state <> 'scheduled' and not v_free then
    if not p_alone then raise exception 'to be asked alone' using errcode = '40001'; end if;
    select w.behind, w.interrupted into behind, interrupted from netra.make_way(p_org, p_thread, p_if_busy, p_user) w;
    if behind is not null then state := 'waiting'; end if;
  elsif p_start_at > now() + interval '366 days' then
    perform netra.refuse('invalid_request', 'A run can be admitted for a year ahead at most.',
      jsonb_build_object('field', 'start_at'));
  end if;
  perform netra.check_limits(p_org, p_agent, v_terms, state in ('queued', 'running'));
  if state in ('scheduled', 'waiting') then perform netra.check_later(p_org, v_terms); end if;
  if p_model is null then
    perform netra.refuse('not_found', format('There is no agent %L.', p_agent), jsonb_build_object('agent', p_agent));
  end if;
  fee_micro := netra.fee_of_run(p_agent, p_max_micro, p_credits);
  held_micro := 0;
  if v_free and state <> 'scheduled' then
    hold_id := p_hold;
    held_micro := fee_micro + case p_credits when 'off' then 0 else p_model_micro end;
    perform netra.hold_for_run(p_org, p_user, p_run, p_hold, p_agent, held_micro, p_credits);
  end if;
  if state = 'running' then
    deadline_at := now() + v_terms.seconds_run * interval '1 second';
    deadline_in_ms := v_terms.seconds_run * 1000;
  end if;
  run_id := p_run;
  thread_id := p_thread;
  replayed := false;
  at := now();
  with thread as (
    insert into netra.thread (org_id, thread_id, user_id) select p_org, p_thread, p_user where p_new_thread
  ), message as (
    -- What is to be said later is not said yet.
    insert into netra.message (org_id, thread_id, message_id, run_id, author, content)
    select p_org, p_thread, p_message, p_run, 'user', p_input where admit_run.state <> 'scheduled'
  )
  insert into netra.run (org_id, run_id, thread_id, user_id, role, agent, model, input, state, priority, last_seq,
    attempt, lease_token, lease_node, lease_until, hold_id, fee_micro, seconds_max, deadline_at, idempotency_key,
    request_hash, max_micro, ready_at, if_busy, start_at)
  values (p_org, p_run, p_thread, p_user, p_role, p_agent, p_model, p_input, admit_run.state, v_terms.priority, 1,
    (admit_run.state = 'running')::int, case admit_run.state when 'running' then p_token end,
    case admit_run.state when 'running' then p_node end,
    case admit_run.state when 'running' then now() + p_lease_ms * interval '1 millisecond' end,
    admit_run.hold_id, admit_run.fee_micro, v_terms.seconds_run, admit_run.deadline_at, p_key, p_hash, p_max_micro,
    -- The order in a thread is that of admission, and a transaction's now() is older than its place under the lock.
    case admit_run.state when 'scheduled' then p_start_at when 'waiting' then clock_timestamp() else now() end,
    p_if_busy, case admit_run.state when 'scheduled' then p_start_at end);
  perform netra.open_log(p_org, p_run, jsonb_strip_nulls(jsonb_build_object('agent', p_agent, 'model', p_model,
    'thread', p_thread, 'held_micro', held_micro::text, 'max_credits_micro', p_max_micro::text, 'behind', behind,
    'start_at', case state when 'scheduled' then to_char(p_start_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end)));
  return next;
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
  elsif v_run.ended_at is null then
    -- What has not begun ends as what is queued does.
    if v_run.state in ('scheduled', 'waiting') then perform netra.move_run(p_org, p_run, 'queued', now()); end if;
    if netra.end_run(v_run, null, v_run.last_seq, '[]', 'agent_cancelled', jsonb_build_object('by', p_by), 0, null,
      '[]') is null then
      raise exception 'the run was claimed in between' using errcode = '40001';
    end if;
  end if;
  return query select r.state from netra.run r where r.org_id = p_org and r.run_id = p_run;
end
$$;

-- A worker begins with a run that waited: its credits are held now, at today's fee, by today's plan. Safe to repeat: the
-- run and its hold change together. Refuses as admission does, and fenced.
create function netra.begin_run(p_org uuid, p_run uuid, p_token uuid, p_hold uuid, p_credits text)
  returns table (hold_id uuid, fee_micro bigint)
  language plpgsql as $$
declare
  v_run netra.run;
begin
  perform netra.enter_org(p_org);
  select * into v_run from netra.run r where r.org_id = p_org and r.run_id = p_run and r.lease_token = p_token;
  if not found then
    perform netra.refuse('fenced', 'Another worker has taken this run over.');
  elsif v_run.hold_id is null then
    perform netra.check_agent(v_run.agent, netra.plan_of(p_org));
    v_run.fee_micro := netra.fee_of_run(v_run.agent, v_run.max_micro, p_credits);
    v_run.hold_id := p_hold;
    perform netra.hold_for_run(p_org, v_run.user_id, p_run, p_hold, v_run.agent, v_run.fee_micro, p_credits);
    if not netra.note_begun(p_org, p_run, p_token, p_hold, v_run.fee_micro) then
      perform netra.refuse('fenced', 'Another worker has taken this run over.');
    end if;
  end if;
  return query select v_run.hold_id, v_run.fee_micro;
end
$$;

create function netra.note_begun(p_org uuid, p_run uuid, p_token uuid, p_hold uuid, p_fee_micro bigint) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  update netra.run r set hold_id = p_hold, fee_micro = p_fee_micro
   where r.org_id = p_org and r.run_id = p_run and r.org_id = netra.current_org() and r.lease_token = p_token
     and r.hold_id is null;
  return found;
end
$$;

-- Scheduled runs whose time has come.
create function netra.due_runs(p_limit int) returns table (org_id uuid, run_id uuid, user_id text)
  language sql stable security definer set search_path = pg_catalog as $$
    select r.org_id, r.run_id, r.user_id from netra.run r
    where r.state = 'scheduled' and r.ready_at <= now() order by r.ready_at limit p_limit
  $$;

-- Lets a scheduled run that is due into its thread, as if it were asked for now. With the plan's places all taken it
-- stays scheduled and is due again in p_again_ms; what else forbids it ends it, and so does p_refusal: {code, message}.
-- On any number of nodes at once: the admission lock, and the state under it, let one of them through.
create function netra.start_due_run(p_org uuid, p_run uuid, p_message uuid, p_refusal jsonb, p_again_ms int)
  returns table (state text, behind uuid, interrupted uuid[])
  language plpgsql as $$
declare
  v_run netra.run;
  v_terms netra.plan_terms;
  v_message text;
  v_detail text;
begin
  perform netra.enter_org(p_org);
  perform pg_advisory_xact_lock(1936, hashtext(p_org::text));
  select * into v_run from netra.run r
   where r.org_id = p_org and r.run_id = p_run and r.state = 'scheduled' and r.ready_at <= now();
  interrupted := '{}';
  if not found then return; end if;
  v_terms := netra.plan_of(p_org);
  if p_refusal is null then
    begin
      select w.behind, w.interrupted into behind, interrupted
      from netra.make_way(p_org, v_run.thread_id, v_run.if_busy, v_run.user_id) w;
    exception when sqlstate 'NT000' then
      get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail;
      p_refusal := v_detail::jsonb || jsonb_build_object('code', v_message);
    end;
  end if;
  if p_refusal is not null then
    perform netra.move_run(p_org, p_run, 'queued', now());
    perform netra.end_run(v_run, null, v_run.last_seq, '[]', 'agent_failed',
      jsonb_build_object('code', p_refusal ->> 'code', 'message', p_refusal ->> 'message'), 0, null, '[]');
    state := 'failed';
    return next;
    return;
  end if;
  state := case when behind is not null then 'waiting'
    when netra.runs_at_once(p_org) >= v_terms.concurrent_runs then 'scheduled' else 'queued' end;
  perform netra.move_run(p_org, p_run, state,
    case state when 'scheduled' then now() + p_again_ms * interval '1 millisecond' else clock_timestamp() end);
  if state <> 'scheduled' then
    insert into netra.message (org_id, thread_id, message_id, run_id, author, content)
    values (p_org, v_run.thread_id, p_message, p_run, 'user', v_run.input);
  end if;
  return next;
end
$$;

drop function netra.admit_runs(jsonb);
create function netra.admit_runs(p_batch jsonb) returns table (
  slot int, run_id uuid, thread_id uuid, replayed boolean, state text, at timestamptz, hold_id uuid, fee_micro bigint,
  held_micro bigint, deadline_at timestamptz, deadline_in_ms int, behind uuid, interrupted uuid[]
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
        deadline_in_ms, behind, interrupted
      from netra.admit_run((v_ask ->> 0)::uuid, v_ask ->> 1, v_ask ->> 2, (v_ask ->> 3)::uuid, (v_ask ->> 4)::uuid,
        (v_ask ->> 5)::boolean, (v_ask ->> 6)::uuid, (v_ask ->> 7)::uuid, v_ask ->> 8, v_ask ->> 9, v_ask -> 10,
        (v_ask ->> 11)::bigint, v_ask ->> 12, v_ask ->> 13, v_ask ->> 14, (v_ask ->> 15)::int,
        (v_ask ->> 16)::uuid, (v_ask ->> 17)::bigint, coalesce(v_ask ->> 18, 'enforce'),
        coalesce(v_ask ->> 19, 'enqueue'), (v_ask ->> 20)::timestamptz, false) r;
      return next;
    exception when others then null;
    end;
  end loop;
end
$$;

do $$
declare
  v_function regprocedure;
begin
  grant create on schema netra to netra_log, netra_system;
  alter function netra.next_turn(uuid, smallint) owner to netra_system;
  alter function netra.let_next(uuid, uuid) owner to netra_system;
  alter function netra.claim_runs(text, int, int, uuid[]) owner to netra_system;
  alter function netra.due_runs(int) owner to netra_system;
  alter function netra.let_stuck_runs(int) owner to netra_system;
  alter function netra.move_run(uuid, uuid, text, timestamptz) owner to netra_log;
  alter function netra.note_begun(uuid, uuid, uuid, uuid, bigint) owner to netra_log;
  revoke create on schema netra from netra_log, netra_system;
  foreach v_function in array array[
    'netra.next_turn(uuid, smallint)', 'netra.let_next(uuid, uuid)', 'netra.due_runs(int)', 'netra.let_stuck_runs(int)',
    'netra.claim_runs(text, int, int, uuid[])',
    'netra.move_run(uuid, uuid, text, timestamptz)', 'netra.note_begun(uuid, uuid, uuid, uuid, bigint)',
    'netra.busy_run(uuid, uuid)', 'netra.in_use(uuid, uuid)', 'netra.interrupt_thread(uuid, uuid, text)',
    'netra.make_way(uuid, uuid, text, text)', 'netra.check_later(uuid, netra.plan_terms)', 'netra.runs_at_once(uuid)',
    'netra.check_limits(uuid, text, netra.plan_terms, boolean)', 'netra.fee_of_run(text, bigint, text)',
    'netra.hold_for_run(uuid, text, uuid, uuid, text, bigint, text)', 'netra.admit_runs(jsonb)',
    'netra.admit_run(uuid, text, text, uuid, uuid, boolean, uuid, uuid, text, text, jsonb, bigint, text, text, text, int, uuid, bigint, text, text, timestamptz, boolean)',
    'netra.begin_run(uuid, uuid, uuid, uuid, text)', 'netra.start_due_run(uuid, uuid, uuid, jsonb, int)']::regprocedure[] loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('grant execute on function %s to netra_app', v_function);
  end loop;
end
$$;
-- What puts a run into the queue, or ends one, does so in these roles too.
grant execute on function netra.next_turn(uuid, smallint), netra.let_next(uuid, uuid) to netra_log, netra_system;
