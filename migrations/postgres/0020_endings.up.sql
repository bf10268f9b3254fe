-- not breaking: adds the lease to charges, what runs out of credits wait for, and the end of what nobody answers
-- docs/decisions/0020-runs-that-end.md

-- R1 for money: refuses `fenced` unless the token holds the run's lease, and keeps it so until this transaction ends.
-- Asked last, since a run's row comes after wallets in the order of locks; the refusal takes back what was moved.
create function netra.keep_lease(p_org uuid, p_run uuid, p_token uuid) returns void
  language plpgsql as $$
begin
  perform from netra.run r where r.org_id = p_org and r.run_id = p_run and r.lease_token = p_token for share;
  if not found then
    perform netra.refuse('fenced', 'Another worker has taken this run over.');
  end if;
end
$$;

-- netra.grow_hold() under a run's lease.
create function netra.grow_run(p_org uuid, p_run uuid, p_token uuid, p_hold uuid, p_fee_micro bigint,
                               p_ceiling_micro bigint, p_max_micro bigint, p_credits text)
  returns table (within boolean, held_micro bigint, spent_micro bigint)
  language plpgsql as $$
begin
  select g.within, g.held_micro, g.spent_micro into strict within, held_micro, spent_micro
    from netra.grow_hold(p_org, p_hold, p_fee_micro, p_ceiling_micro, p_max_micro, p_credits) g;
  perform netra.keep_lease(p_org, p_run, p_token);
  return next;
end
$$;

-- netra.capture_hold() under a run's lease.
create function netra.charge_run(p_org uuid, p_run uuid, p_token uuid, p_hold uuid, p_amount_micro bigint, p_reason text,
                                 p_key text, p_model text, p_beyond text)
  returns table (balance_micro bigint)
  language plpgsql as $$
begin
  select c.balance_micro into strict balance_micro
    from netra.capture_hold(p_org, p_hold, p_amount_micro, p_reason, p_key, p_model, p_beyond) c;
  perform netra.keep_lease(p_org, p_run, p_token);
  return next;
end
$$;

-- What a parked run waits for, where that is credits: so much must be there. Its last event says the same to people.
alter table netra.run add column needs_micro bigint check (needs_micro > 0);
create index run_needs on netra.run (org_id, run_id) where state = 'parked' and needs_micro is not null;
create index run_parked on netra.run (parked_at) where state = 'parked';

-- What the last event before a run parks asks for; null = not credits, but somebody's word.
create function netra.needed_by(p_org uuid, p_run uuid, p_head int, p_events jsonb) returns bigint
  language sql stable as $$
  select (last.data -> 'input' ->> 'needed_micro')::bigint
    from (select p_events -> -1 ->> 0 as type, p_events -> -1 -> 1 as data where jsonb_array_length(p_events) > 0
          union all
          select e.type, e.data from netra.event e
           where jsonb_array_length(p_events) = 0 and e.org_id = p_org and e.run_id = p_run and e.seq = p_head) last
   where last.type = 'approval_requested' and last.data ->> 'call_id' ~ '^credits_\d+$'
$$;

-- As in 0005, with what a run that parks waits for.
create or replace function netra.close_log(p_org uuid, p_run uuid, p_token uuid, p_head int, p_events jsonb, p_state text)
  returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  with closed as (
    update netra.run r
    set last_seq = r.last_seq + jsonb_array_length(p_events),
        state = p_state,
        lease_token = null, lease_node = null, lease_until = null,
        parked_at = case when p_state = 'parked' then now() end,
        needs_micro = case when p_state = 'parked' then netra.needed_by(p_org, p_run, p_head, p_events) end,
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

-- Whether the amount could be held now: from the balance, or from the plan's line beyond it.
create function netra.can_pay(p_org uuid, p_amount_micro bigint) returns boolean
  language sql stable as $$
  select coalesce((
    select p_amount_micro <= b.available_micro - w.floor_micro
        or exists (
          select from netra.line_of(p_org) l where l.period_end > now() and (l.limit_micro is null
            or p_amount_micro <= b.available_micro - w.floor_micro + l.limit_micro - coalesce((
                 select sum(g.granted_micro) from netra.credit_grant g
                  where g.org_id = p_org and g.source = l.source and g.period_start = l.period_start), 0)))
      from netra.read_balance(p_org) b, netra.wallet w where w.org_id = p_org and w.wallet_id = 0), false)
$$;

-- Runs that wait for credits which may be there by now. In any order: among more than p_limit none is left out for ever.
create function netra.funded_runs(p_limit int) returns table (org_id uuid, run_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
    select r.org_id, r.run_id
      from netra.run r
      join netra.wallet w on w.org_id = r.org_id and w.wallet_id = 0
      left join netra.subscription s on s.org_id = r.org_id and s.ended_at is null
      left join netra.plan p on p.plan_id = s.plan_id and p.valid_from = s.plan_valid_from
     where r.state = 'parked' and r.needs_micro is not null
       and (w.available_micro - w.floor_micro >= r.needs_micro or p.overage <> 'stop')
     order by random() limit p_limit
  $$;

-- Lets a run go on whose credits are there. True = it is in the queue now; on any number of nodes at once, for one of
-- them: its row is locked, and it is parked only once.
create function netra.resume_funded(p_org uuid, p_run uuid) returns boolean
  language plpgsql as $$
declare
  v_run netra.run;
  v_call text;
begin
  perform netra.enter_org(p_org);
  select * into v_run from netra.run r
   where r.org_id = p_org and r.run_id = p_run and r.state = 'parked' and r.needs_micro is not null
     for no key update skip locked;
  if not found or not netra.can_pay(p_org, v_run.needs_micro) then return false; end if;
  select e.data ->> 'call_id' into strict v_call from netra.event e
   where e.org_id = p_org and e.run_id = p_run and e.type = 'approval_requested' order by e.seq desc limit 1;
  return netra.unpark(p_org, p_run, jsonb_build_array(jsonb_build_array('approval_given',
    jsonb_build_object('call_id', v_call, 'approved', true, 'by', 'credits'))), true);
end
$$;

-- Parked runs that have waited for longer than this installation lets them.
create function netra.unanswered_runs(p_older_ms bigint, p_limit int) returns table (org_id uuid, run_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
    select r.org_id, r.run_id from netra.run r
     where r.state = 'parked' and r.parked_at < now() - p_older_ms * interval '1 millisecond'
     order by r.parked_at limit p_limit
  $$;

-- Ends a run that nobody has answered. What its model calls cost stays paid, its fee is released. False = it was answered
-- or ended before.
create function netra.give_up_parked(p_org uuid, p_run uuid, p_older_ms bigint) returns boolean
  language plpgsql as $$
declare
  v_run netra.run;
begin
  perform netra.enter_org(p_org);
  select * into v_run from netra.run r where r.org_id = p_org and r.run_id = p_run and r.state = 'parked'
    and r.parked_at < now() - p_older_ms * interval '1 millisecond';
  if not found then return false; end if;
  if netra.end_run(v_run, null, v_run.last_seq, '[]', 'agent_failed', case when v_run.needs_micro is null
      then jsonb_build_object('code', 'approval_expired', 'message', 'Nobody answered what the run had asked in time.')
      else jsonb_build_object('code', 'insufficient_credits', 'message',
        format('The run waited for %s credits, and they did not come in time.', round(v_run.needs_micro / 1e6, 2)))
      end, 0, null, '[]') is null then
    raise exception 'the run was answered in between' using errcode = '40001';
  end if;
  return true;
end
$$;

do $$
declare
  v_function regprocedure;
begin
  grant create on schema netra to netra_system;
  alter function netra.funded_runs(int) owner to netra_system;
  alter function netra.unanswered_runs(bigint, int) owner to netra_system;
  revoke create on schema netra from netra_system;
  foreach v_function in array array[
    'netra.keep_lease(uuid, uuid, uuid)',
    'netra.grow_run(uuid, uuid, uuid, uuid, bigint, bigint, bigint, text)',
    'netra.charge_run(uuid, uuid, uuid, uuid, bigint, text, text, text, text)',
    'netra.can_pay(uuid, bigint)', 'netra.funded_runs(int)', 'netra.resume_funded(uuid, uuid)',
    'netra.unanswered_runs(bigint, int)', 'netra.give_up_parked(uuid, uuid, bigint)']::regprocedure[] loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('grant execute on function %s to netra_app', v_function);
  end loop;
end
$$;
revoke execute on function netra.needed_by(uuid, uuid, int, jsonb) from public;
grant execute on function netra.needed_by(uuid, uuid, int, jsonb) to netra_log;
