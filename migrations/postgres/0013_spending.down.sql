-- breaking: forgets the caps, and a node that sends a run's cap cannot admit
drop function netra.finish_run(uuid, uuid, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb, text);
drop function netra.end_run(netra.run, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb, text);
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

create or replace function netra.finish_runs(p_batch jsonb) returns table (slot int, at timestamptz, receipt jsonb)
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

revoke execute on function
  netra.end_run(netra.run, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb),
  netra.finish_run(uuid, uuid, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb)
from public;
grant execute on function
  netra.end_run(netra.run, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb),
  netra.finish_run(uuid, uuid, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb)
to netra_app;

drop function netra.grow_hold(uuid, uuid, bigint, bigint, bigint, text);
drop function netra.quote_run(uuid, text, text, text);
drop function netra.check_agent(text, netra.plan_terms);
drop function netra.read_spending(uuid, text);
drop function netra.committed_of(uuid, text);
drop function netra.check_spending(uuid);
drop function netra.set_spending_caps(uuid, bigint, bigint, bigint, text);
drop function netra.count_spending(uuid, timestamptz, jsonb);
drop function netra.version_at(uuid, int, bigint, timestamptz);
drop trigger inherit_caps on netra.wallet;
drop function netra.inherit_caps();
drop function netra.note_spending(uuid, text, timestamptz, bigint, boolean);
drop function netra.refuse_spending(text, text, bigint, bigint, bigint);
drop function netra.line_of(uuid);
revoke execute on function netra.period_start_of(timestamptz, int) from netra_app, netra_system;
drop function netra.spending_period(uuid, timestamptz);
drop function netra.spending_cap_of(uuid);
alter table netra.run drop column max_micro;
drop table netra.spending;
drop table netra.spending_cap;
update netra.wallet set capped = false where capped;
