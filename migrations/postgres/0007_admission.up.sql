-- not breaking: adds the functions that admit, end, cancel and approve runs
-- Each is one round trip and one transaction of one organisation. They run as netra_app; what they may not do
-- themselves (write a log, move credits) they ask of the functions that may.
-- Lock order, everywhere: admission (advisory), hold, wallet, grants, run.

-- The sweeper looks for holds that nothing will end.
create index hold_active on netra.hold (created_at) where state = 'active';

-- Refuses with the limit that was met, and the plan that lifts it.
create function netra.refuse_limit(p_code text, p_limit text, p_used bigint, p_max bigint, p_name text, p_message text)
  returns void
  language plpgsql as $$
begin
  perform netra.refuse(p_code, p_message, jsonb_build_object(
    'limit', p_limit, 'used', p_used::text, 'max', p_max::text,
    'plan_that_lifts_it', netra.plan_that_lifts(p_limit, p_used + 1, p_name)));
end
$$;

-- The smallest version 7 uuid of a moment: runs of a period are a range of the primary key.
create function netra.uuid_floor(p_at timestamptz) returns uuid
  language sql immutable as $$
    select (lpad(to_hex(floor(extract(epoch from p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
  $$;

-- Plan limits at admission. The caller holds the organisation's admission lock, so the counts cannot be overtaken.
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

-- Admits a run: limits, hold, run row, user message and event 1, or nothing at all. The same key and request again
-- answers the same run. With p_node the admitting node gets the lease in the same transaction; without, the run is
-- queued. p_new_thread: p_thread is to be made.
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

-- Ends a run that p_token holds (null: that nobody holds): settles its hold, writes the last events, of which the
-- terminal one carries the receipt, says the agent's answer in the thread, and fills the outbox. False = fenced, or
-- claimed in between; the caller must then raise, since credits have moved in this transaction.
create function netra.end_run(
  p_run netra.run, p_token uuid, p_head int, p_events jsonb, p_type text, p_data jsonb, p_capture_micro bigint,
  p_message uuid, p_outbox jsonb, out receipt jsonb
)
  language plpgsql as $$
declare
  v_hold record;
  v_state text := case p_type when 'agent_completed' then 'completed' when 'agent_failed' then 'failed'
    when 'agent_cancelled' then 'cancelled' end;
begin
  select s.held_micro, s.spent_micro, s.released_micro, s.balance_micro into strict v_hold
  from netra.settle_hold(p_run.org_id, p_run.hold_id, p_capture_micro, 'run', 'run/' || p_run.run_id) s;
  receipt := jsonb_build_object('held_micro', v_hold.held_micro::text, 'spent_micro', v_hold.spent_micro::text,
    'released_micro', v_hold.released_micro::text, 'balance_micro', v_hold.balance_micro::text);
  p_data := p_data || jsonb_build_object('credits', receipt);
  if v_state is null
    or not netra.close_log(p_run.org_id, p_run.run_id, p_token, p_head,
      p_events || jsonb_build_array(jsonb_build_array(p_type, p_data)), v_state) then
    receipt := null;
    return;
  end if;
  -- M4: one charge a settled run, under the id of its hold.
  with answer as (
    insert into netra.message (org_id, thread_id, message_id, run_id, author, content)
    select p_run.org_id, p_run.thread_id, p_message, p_run.run_id, 'agent', coalesce(p_data -> 'output', 'null')
    where v_state = 'completed'
  )
  insert into netra.outbox (org_id, event_id, kind, payload)
  select p_run.org_id, p_run.hold_id, 'charge', jsonb_build_object('run_id', p_run.run_id, 'user_id', p_run.user_id,
    'agent', p_run.agent, 'reason', 'run', 'state', v_state, 'amount_micro', v_hold.spent_micro::text)
  union all
  select p_run.org_id, (o.entry ->> 'event_id')::uuid, o.entry ->> 'kind', o.entry -> 'payload'
  from jsonb_array_elements(p_outbox) as o(entry);
end
$$;

-- The holder's last word on a run. Safe to repeat after a lost answer: the token that ended it gets the same receipt.
create function netra.finish_run(
  p_org uuid, p_run uuid, p_token uuid, p_head int, p_events jsonb, p_type text, p_data jsonb, p_capture_micro bigint,
  p_message uuid, p_outbox jsonb
) returns table (at timestamptz, receipt jsonb)
  language plpgsql as $$
declare
  v_run netra.run;
begin
  perform netra.enter_org(p_org);
  select * into v_run from netra.run r where r.org_id = p_org and r.run_id = p_run;
  if v_run.ended_by_token = p_token then
    return query select e.at, e.data -> 'credits' from netra.event e
      where e.org_id = p_org and e.run_id = p_run and e.seq = v_run.last_seq;
    return;
  end if;
  at := now();
  if v_run.lease_token = p_token then
    receipt := netra.end_run(v_run, p_token, p_head, p_events, p_type, p_data, p_capture_micro, p_message, p_outbox);
  end if;
  if receipt is null then
    perform netra.refuse('fenced', 'Another worker has taken this run over.');
  end if;
  return next;
end
$$;

-- Many runs in one transaction, each in a subtransaction of its own: one that fails undoes only itself, and is not in
-- the answer; its caller asks for it alone and gets the reason. The tenant is entered anew for each. p_batch holds one
-- array of arguments a run, in the order of the organisations, so that two batches cannot wait for each other in a ring.
create function netra.finish_runs(p_batch jsonb) returns table (slot int, at timestamptz, receipt jsonb)
  language plpgsql as $$
declare
  v_ask jsonb;
begin
  slot := 0;
  for v_ask in select a.value from jsonb_array_elements(p_batch) a loop
    slot := slot + 1;
    begin
      select f.at, f.receipt into strict at, receipt
      from netra.finish_run((v_ask ->> 0)::uuid, (v_ask ->> 1)::uuid, (v_ask ->> 2)::uuid, (v_ask ->> 3)::int,
        v_ask -> 4, v_ask ->> 5, v_ask -> 6, (v_ask ->> 7)::bigint, (v_ask ->> 8)::uuid, v_ask -> 9) f;
      return next;
    exception when others then null;
    end;
  end loop;
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

-- Gives the lease up until a person answers.
create function netra.park_run(p_org uuid, p_run uuid, p_token uuid, p_head int, p_events jsonb)
  returns timestamptz
  language plpgsql as $$
begin
  perform netra.enter_org(p_org);
  if not netra.close_log(p_org, p_run, p_token, p_head, p_events, 'parked') then
    -- A repeat after a lost answer finds its own events.
    if not exists (select from netra.run r where r.org_id = p_org and r.run_id = p_run and r.state = 'parked'
      and r.last_seq = p_head + jsonb_array_length(p_events)) then
      perform netra.refuse('fenced', 'Another worker has taken this run over.');
    end if;
  end if;
  return now();
end
$$;

-- A durable wish to cancel. A run that nobody works on ends here; for one that is being worked on, its holder hears of
-- it. Repeating it, or cancelling what has ended, changes nothing.
create function netra.cancel_run(p_org uuid, p_run uuid, p_by text) returns table (state text)
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

-- A person's answer to a request for approval. The run goes back to the queue with the last answer it waited for.
create function netra.give_approval(p_org uuid, p_run uuid, p_call text, p_approved boolean, p_by text)
  returns table (state text)
  language plpgsql as $$
declare
  v_state text;
  v_given boolean;
  v_open int;
begin
  perform netra.enter_org(p_org);
  -- Locked: of two last answers one must see the other.
  select r.state into v_state from netra.run r where r.org_id = p_org and r.run_id = p_run for no key update;
  if not found then
    perform netra.refuse('not_found', 'There is no such run.');
  end if;
  select (e.data ->> 'approved')::boolean into v_given from netra.event e
  where e.org_id = p_org and e.run_id = p_run and e.type = 'approval_given' and e.data ->> 'call_id' = p_call;
  if v_given = p_approved then
    return query select v_state;
    return;
  end if;
  if v_given is not null or v_state <> 'parked' or not exists (
    select from netra.event e where e.org_id = p_org and e.run_id = p_run and e.type = 'approval_requested'
      and e.data ->> 'call_id' = p_call) then
    perform netra.refuse('conflict', case when v_given is null then 'This call is not waiting for an approval.'
      else 'This call was answered otherwise before.' end, jsonb_build_object('call', p_call, 'state', v_state));
  end if;
  select count(*) filter (where e.type = 'approval_requested') - count(*) filter (where e.type = 'approval_given')
  into v_open from netra.event e where e.org_id = p_org and e.run_id = p_run;
  perform netra.unpark(p_org, p_run, jsonb_build_array(jsonb_build_array('approval_given',
    jsonb_build_object('call_id', p_call, 'approved', p_approved, 'by', p_by))), v_open <= 1);
  return query select case when v_open <= 1 then 'queued' else 'parked' end;
end
$$;

-- Active holds that no run will ever end. Admission and end are one transaction each, so a hold of a run always has
-- its run: these come from elsewhere, and are only taken when old.
create function netra.orphan_holds(p_older_ms int, p_limit int) returns table (org_id uuid, hold_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
    select h.org_id, h.hold_id from netra.hold h
    where h.state = 'active' and h.created_at < now() - p_older_ms * interval '1 millisecond'
      and not exists (select from netra.run r where r.org_id = h.org_id and r.run_id = h.run_id
        and r.state in ('queued', 'running', 'parked'))
    order by h.created_at limit p_limit
  $$;

grant create on schema netra to netra_system;
alter function netra.orphan_holds(int, int) owner to netra_system;
revoke create on schema netra from netra_system;
grant execute on function
  netra.refuse_limit(text, text, bigint, bigint, text, text),
  netra.uuid_floor(timestamptz),
  netra.check_limits(uuid, text, netra.plan_terms),
  netra.admit_run(uuid, text, text, uuid, uuid, boolean, uuid, uuid, text, text, jsonb, bigint, text, text, text, int,
    uuid),
  netra.end_run(netra.run, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb),
  netra.finish_run(uuid, uuid, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb),
  netra.finish_runs(jsonb),
  netra.admit_runs(jsonb),
  netra.park_run(uuid, uuid, uuid, int, jsonb),
  netra.cancel_run(uuid, uuid, text),
  netra.give_approval(uuid, uuid, text, boolean, text),
  netra.orphan_holds(int, int)
to netra_app;
