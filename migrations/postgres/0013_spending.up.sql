-- not breaking: adds spending caps, the run's own cap, quotes, and what a node does about credits
-- Old calls keep working: what is added to a function stands behind, with a default.

-- What an organisation allows itself, beside its plan. Each change is a row, and the newest one counts: who allowed what,
-- and when, is never lost. Null = not capped.
create table netra.spending_cap (
  org_id        uuid not null references netra.org (org_id),
  version       int not null check (version > 0),
  -- Beyond the plan's credits, a period. A plan with overage 'cap' stops at its credits until this is set.
  overage_micro bigint check (overage_micro >= 0),
  -- All that is spent or held, a period: of the organisation, and of each member.
  total_micro   bigint check (total_micro >= 0),
  member_micro  bigint check (member_micro >= 0),
  set_by        text not null,
  set_at        timestamptz not null default now(),
  primary key (org_id, version)
);

-- What is spent or held in a period, for organisations whose wallets are `capped`, and only for them. user_id '' is the
-- organisation. A hold counts in the period that it began in, to its end.
create table netra.spending (
  org_id          uuid not null,
  user_id         text not null,
  period_start    timestamptz not null,
  committed_micro bigint not null,
  primary key (org_id, user_id, period_start)
) with (fillfactor = 50);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['spending_cap', 'spending'] loop
    execute format('alter table netra.%I enable row level security', v_table);
    execute format('alter table netra.%I force row level security', v_table);
    execute format('create policy tenant on netra.%I to netra_app, netra_ledger using (org_id = netra.current_org()) '
                   'with check (org_id = netra.current_org())', v_table);
    execute format('create policy system on netra.%I for select to netra_system using (true)', v_table);
    execute format('grant select on netra.%I to netra_app, netra_system', v_table);
  end loop;
end
$$;
grant select, insert on netra.spending_cap to netra_ledger;
grant select, insert, update, delete on netra.spending to netra_ledger;

-- The most that the run may spend, as its caller asked; approvals that raised it are in its log. Null = no cap.
alter table netra.run add column max_micro bigint check (max_micro >= 0);

create function netra.spending_cap_of(p_org uuid) returns netra.spending_cap
  language sql stable as $$
  select c from netra.spending_cap c where c.org_id = p_org order by c.version desc limit 1
$$;

-- The start of the period that a moment is in: of the subscription then, or the month where there was none. It says the
-- same of a moment for ever, so what a hold added is taken off the same counter.
create function netra.spending_period(p_org uuid, p_at timestamptz) returns timestamptz
  language sql stable as $$
  select netra.period_start_of(m.anchor_at, m.months
           - case when netra.period_start_of(m.anchor_at, m.months) > p_at then 1 else 0 end)
    from (select a.anchor_at, (12 * (extract(year from p_at at time zone 'UTC')
                                     - extract(year from a.anchor_at at time zone 'UTC'))
                 + extract(month from p_at at time zone 'UTC')
                 - extract(month from a.anchor_at at time zone 'UTC'))::int as months
            from (select coalesce((
                    select s.anchor_at from netra.subscription s
                     where s.org_id = p_org and s.anchor_at <= p_at order by s.anchor_at desc limit 1),
                    date_trunc('month', p_at, 'UTC')) as anchor_at) a) m
$$;

-- The line beyond the plan's credits. 'stop' has none; 'cap' has one once a cap is set; 'soft' has one without a limit
-- until a cap is set.
create function netra.line_of(p_org uuid)
  returns table (source text, limit_micro bigint, usd_credit numeric, period_start timestamptz, period_end timestamptz)
  language sql stable as $$
  select 'overage', c.overage_micro, p.overage_usd_credit, s.period_start, s.period_end
    from netra.subscription s
    join netra.plan p on p.plan_id = s.plan_id and p.valid_from = s.plan_valid_from
    left join lateral netra.spending_cap_of(p_org) c on true
   where s.org_id = p_org and s.ended_at is null
     and (p.overage = 'soft' or (p.overage = 'cap' and c.overage_micro is not null))
$$;

create function netra.refuse_spending(p_limit text, p_whose text, p_used_micro bigint, p_needed_micro bigint,
                                      p_max_micro bigint) returns void
  language plpgsql as $$
begin
  perform netra.refuse('spending_cap',
    format('This needs %s credits; %s has used %s of the %s that it may spend in this period.',
      round(p_needed_micro / 1e6, 2), p_whose, round(p_used_micro / 1e6, 2), round(p_max_micro / 1e6, 2)),
    jsonb_build_object('limit', p_limit, 'used', p_used_micro::text, 'max', p_max_micro::text,
      'needed_micro', p_needed_micro::text, 'plan_that_lifts_it', null, 'lifted_by', jsonb_build_array('owner', 'admin')));
end
$$;

-- Counts what a hold commits (or frees, negative), and refuses spending_cap where `p_enforce` and a cap is passed. The
-- caller holds the wallet's row and undoes its movement with the refusal.
create function netra.note_spending(p_org uuid, p_user text, p_at timestamptz, p_delta_micro bigint,
                                    p_enforce boolean) returns void
  language plpgsql as $$
declare
  v_period timestamptz := netra.spending_period(p_org, p_at);
  v_cap netra.spending_cap;
  v_total_micro bigint;
  v_member_micro bigint;
begin
  if p_delta_micro < 0 then
    -- A hold of a period that was over before there was a cap gives back to no counter.
    update netra.spending s set committed_micro = s.committed_micro + p_delta_micro
     where s.org_id = p_org and s.user_id in ('', p_user) and s.period_start = v_period;
  end if;
  -- What takes nothing passes no cap, wherever the count stands.
  if p_delta_micro <= 0 then return; end if;
  insert into netra.spending as s (org_id, user_id, period_start, committed_micro)
  values (p_org, '', v_period, p_delta_micro)
  on conflict (org_id, user_id, period_start) do update set committed_micro = s.committed_micro + excluded.committed_micro
  returning s.committed_micro into v_total_micro;
  if p_user is not null then
    insert into netra.spending as s (org_id, user_id, period_start, committed_micro)
    values (p_org, p_user, v_period, p_delta_micro)
    on conflict (org_id, user_id, period_start) do update set committed_micro = s.committed_micro + excluded.committed_micro
    returning s.committed_micro into v_member_micro;
  end if;
  if not p_enforce then return; end if;
  v_cap := netra.spending_cap_of(p_org);
  if v_total_micro > v_cap.total_micro then
    perform netra.refuse_spending('spending_total', 'the organisation', v_total_micro - p_delta_micro, p_delta_micro,
                                  v_cap.total_micro);
  elsif v_member_micro > v_cap.member_micro then
    perform netra.refuse_spending('spending_member', 'the member', v_member_micro - p_delta_micro, p_delta_micro,
                                  v_cap.member_micro);
  end if;
end
$$;

-- A wallet that is opened later is counted like the others; one that is opened at the same moment waits for the change.
create function netra.inherit_caps() returns trigger
  language plpgsql as $$
declare
  v_cap netra.spending_cap;
begin
  perform pg_advisory_xact_lock_shared(1937, hashtext(new.org_id::text));
  v_cap := netra.spending_cap_of(new.org_id);
  new.capped := v_cap.total_micro is not null or v_cap.member_micro is not null;
  return new;
end
$$;
create trigger inherit_caps before insert on netra.wallet for each row execute function netra.inherit_caps();

-- Replaces the caps; the same again change nothing. Taking the last one off that is counted stops the counting. The first
-- one counts what is committed, in two halves: what there is, which takes as long as it takes and locks nothing, and then
-- under the wallets' locks what came meanwhile. A movement is in one half, or waits and counts itself.
create function netra.set_spending_caps(p_org uuid, p_overage_micro bigint, p_total_micro bigint, p_member_micro bigint,
                                        p_by text) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now netra.spending_cap;
  v_counted boolean;
  v_counts boolean := p_total_micro is not null or p_member_micro is not null;
  v_from timestamptz;
  v_seen jsonb;
  v_first jsonb;
begin
  perform netra.enter_org(p_org);
  -- One change at a time, and no wallet is opened meanwhile (netra.inherit_caps).
  perform pg_advisory_xact_lock(1937, hashtext(p_org::text));
  v_now := netra.spending_cap_of(p_org);
  v_counted := v_now.total_micro is not null or v_now.member_micro is not null;
  if (v_now.overage_micro, v_now.total_micro, v_now.member_micro)
     is not distinct from (p_overage_micro, p_total_micro, p_member_micro) then
    return;
  end if;
  if v_counts and not v_counted then
    -- Earlier periods count where a hold of theirs is still open.
    v_from := netra.spending_period(p_org, least(now(), (
      select min(h.created_at) from netra.hold h where h.org_id = p_org and h.state = 'active')));
    -- One statement, one snapshot: these versions are what was counted.
    select (select jsonb_object_agg(w.wallet_id, w.version) from netra.wallet w where w.org_id = p_org),
           (select jsonb_agg(c) from netra.count_spending(p_org, v_from) c)
      into v_seen, v_first;
  end if;
  if v_counts <> v_counted then
    perform from netra.wallet w where w.org_id = p_org order by w.wallet_id for no key update;
  end if;
  insert into netra.spending_cap (org_id, version, overage_micro, total_micro, member_micro, set_by)
  values (p_org, coalesce(v_now.version, 0) + 1, p_overage_micro, p_total_micro, p_member_micro, p_by);
  if v_counts = v_counted then return; end if;
  delete from netra.spending s where s.org_id = p_org;
  if v_counts then
    insert into netra.spending (org_id, user_id, period_start, committed_micro)
    select p_org, c.user_id, c.period_start, sum(c.committed_micro)
      from (select f.* from jsonb_to_recordset(v_first)
                       as f (user_id text, period_start timestamptz, committed_micro bigint)
            union all
            select m.* from netra.count_spending(p_org, v_from, v_seen) m) c
     group by c.user_id, c.period_start;
  end if;
  update netra.wallet w set capped = v_counts where w.org_id = p_org;
end
$$;

-- The first version of a wallet that can be of `p_at` or later: a movement's time is when its transaction began, so an
-- hour of slack. Versions have no gaps and follow the clock, so it takes twenty look-ups in a million.
create function netra.version_at(p_org uuid, p_wallet int, p_version bigint, p_at timestamptz) returns bigint
  language plpgsql stable as $$
declare
  v_low bigint := 1;
  v_high bigint := p_version + 1;
  v_middle bigint;
begin
  while v_low < v_high loop
    v_middle := (v_low + v_high) / 2;
    if exists (select from netra.transfer t where t.org_id = p_org and t.wallet_id = p_wallet and t.version = v_middle
                  and t.at < p_at - interval '1 hour') then
      v_low := v_middle + 1;
    else
      v_high := v_middle;
    end if;
  end loop;
  return v_low;
end
$$;

-- What is committed by the holds that began at or after `p_from`, the start of a period: by period, and by user, '' being
-- everybody. From the transfers, since these never change; less those up to `p_seen`, a version by wallet.
create function netra.count_spending(p_org uuid, p_from timestamptz, p_seen jsonb default '{}')
  returns table (user_id text, period_start timestamptz, committed_micro bigint)
  language sql stable as $$
  with period as materialized (
    select p.starts_at, lead(p.starts_at, 1, 'infinity') over (order by p.starts_at) as ends_at
      from (select distinct netra.spending_period(p_org, m.at) as starts_at
              -- No period is shorter, but where a subscription began: then one ends right before.
              from (select generate_series(p_from, now(), '20 days') union all select now() union all
                    select unnest(array[s.anchor_at - interval '1 microsecond', s.anchor_at])
                      from netra.subscription s where s.org_id = p_org) m (at)
             where m.at >= p_from and m.at <= now()) p
  ), moved as materialized (
    select h.user_id, h.created_at, t.held_micro + t.spent_micro as micro
      from netra.wallet w
     cross join lateral generate_series(
             greatest(netra.version_at(p_org, w.wallet_id, w.version, p_from),
                      coalesce((p_seen ->> w.wallet_id::text)::bigint, 0) + 1), w.version) v
      join netra.transfer t on t.org_id = w.org_id and t.wallet_id = w.wallet_id and t.version = v
      join netra.hold h on h.org_id = t.org_id and h.hold_id = t.hold_id
     where w.org_id = p_org and h.created_at >= p_from
  )
  select coalesce(u.user_id, ''), p.starts_at, sum(m.micro)::bigint
    from moved m
    join period p on m.created_at >= p.starts_at and m.created_at < p.ends_at
   cross join lateral (select null as user_id union all select m.user_id where m.user_id is not null) u
   group by 1, 2
$$;

-- Rows at fault: a counter that is not what the transfers say, and a wallet that is not counted as its organisation's
-- caps want it. Of every organisation, or of one.
create function netra.check_spending(p_org uuid default null)
  returns table (org_id uuid, fault text, place text, key jsonb, expected text, found text)
  language sql stable security definer set search_path = pg_catalog as $$
  select w.org_id, 'spending_altered', 'netra.spending',
         jsonb_build_object('user_id', x.user_id, 'period_start', x.period_start),
         x.expected_micro::text, x.found_micro::text
    from netra.wallet w
   cross join lateral (
     select user_id, period_start, coalesce(c.committed_micro, 0) as expected_micro,
            coalesce(s.committed_micro, 0) as found_micro
       from netra.count_spending(w.org_id, coalesce(
              (select min(e.period_start) from netra.spending e where e.org_id = w.org_id),
              netra.spending_period(w.org_id, now()))) c
       full join (select * from netra.spending e where e.org_id = w.org_id) s using (user_id, period_start)) x
   where w.wallet_id = 0 and w.capped and w.org_id = coalesce(p_org, w.org_id) and x.expected_micro <> x.found_micro
  union all
  select w.org_id, 'cap_uncounted', 'netra.wallet', jsonb_build_object('wallet_id', w.wallet_id), c.wanted::text,
         w.capped::text
    from netra.wallet w
   cross join lateral (select coalesce((k.total_micro, k.member_micro) is distinct from (null::bigint, null::bigint), false) as wanted
                         from netra.spending_cap_of(w.org_id) k) c
   where w.org_id = coalesce(p_org, w.org_id) and w.capped <> c.wanted
$$;

-- The caps, what counts towards them in the current period, and the line. Committed amounts are null where no cap
-- makes them be counted.
create function netra.read_spending(p_org uuid, p_user text) returns table (
  period_start timestamptz, period_end timestamptz, overage text, usd_credit numeric, overage_used_micro bigint,
  overage_micro bigint, total_micro bigint, member_micro bigint, set_by text, set_at timestamptz,
  total_used_micro bigint, member_used_micro bigint
)
  language plpgsql as $$
declare
  v_terms netra.plan_terms := netra.plan_of(p_org);
begin
  return query
  select s.period_start, s.period_end, p.overage, p.overage_usd_credit,
         coalesce((select sum(g.spent_micro + g.held_micro) from netra.credit_grant g
                    where g.org_id = p_org and g.source = 'overage' and g.period_start = s.period_start), 0)::bigint,
         c.overage_micro, c.total_micro, c.member_micro, c.set_by, c.set_at, u.total_micro, u.member_micro
    from netra.subscription s
    join netra.plan p on p.plan_id = s.plan_id and p.valid_from = s.plan_valid_from
    left join lateral netra.spending_cap_of(p_org) c on true
    left join lateral netra.committed_of(p_org, p_user) u on true
   where s.org_id = p_org and s.ended_at is null;
end
$$;

-- What is committed in the current period; nulls where nothing is counted.
create function netra.committed_of(p_org uuid, p_user text, out total_micro bigint, out member_micro bigint)
  language sql stable as $$
  select coalesce(max(s.committed_micro) filter (where s.user_id = ''), 0),
         coalesce(max(s.committed_micro) filter (where s.user_id = p_user), 0)
    from netra.wallet w
    left join netra.spending s on s.org_id = p_org and s.user_id in ('', p_user)
                              and s.period_start = netra.spending_period(p_org, now())
   where w.org_id = p_org and w.wallet_id = 0 and w.capped
  having count(*) > 0
$$;

-- What a quote is made from, for one agent and model: its fee now, what is there to pay it, and what the model cost in
-- up to 100 completed runs among the organisation's last 1,000 (a range of the run's key: bounded, whatever is stored).
-- `line_micro` null = a line without a limit; `cap_left_micro` null = no cap.
create function netra.quote_run(p_org uuid, p_user text, p_agent text, p_model text) returns table (
  fee_micro bigint, balance_micro bigint, line_micro bigint, cap_left_micro bigint, past_runs int,
  model_median_micro bigint
)
  language plpgsql as $$
declare
  v_terms netra.plan_terms := netra.plan_of(p_org);
  v_cap netra.spending_cap := netra.spending_cap_of(p_org);
begin
  perform netra.check_agent(p_agent, v_terms);
  fee_micro := netra.agent_fee_of(p_agent);
  if fee_micro is null or p_model is null then
    perform netra.refuse('not_found', format('There is no agent %L.', p_agent), jsonb_build_object('agent', p_agent));
  end if;
  balance_micro := coalesce((select b.available_micro from netra.read_balance(p_org) b), 0);
  line_micro := 0;
  select case when l.limit_micro is not null then greatest(0, l.limit_micro - coalesce((
           select sum(g.granted_micro) from netra.credit_grant g
            where g.org_id = p_org and g.source = l.source and g.period_start = l.period_start), 0))::bigint end
    into line_micro from netra.line_of(p_org) l;
  if not found then line_micro := 0; end if;
  select least(v_cap.total_micro - u.total_micro, v_cap.member_micro - u.member_micro) into cap_left_micro
    from netra.committed_of(p_org, p_user) u;
  select count(*)::int, percentile_disc(0.5) within group (order by p.model_micro)
    into past_runs, model_median_micro
    from (select greatest(0, h.spent_micro - r.fee_micro) as model_micro
            from (select l.* from (select * from netra.run a where a.org_id = p_org
                                    order by a.run_id desc limit 1000) l
                   where l.agent = p_agent and l.model = p_model and l.state = 'completed' limit 100) r
            join netra.hold h on h.org_id = r.org_id and h.hold_id = r.hold_id) p;
  return next;
end
$$;

create function netra.check_agent(p_agent text, p_terms netra.plan_terms) returns void
  language plpgsql as $$
begin
  if not p_agent = any (p_terms.agents) then
    perform netra.refuse('agent_not_in_plan',
      format('The %s plan does not include the %s agent.', p_terms.plan_id, p_agent),
      jsonb_build_object('limit', 'agents', 'used', p_agent, 'max', array_to_string(p_terms.agents, ', '),
        'plan_that_lifts_it', netra.plan_that_lifts('agents', 1, p_agent)));
  end if;
end
$$;

-- Makes sure that a run's hold covers its fee and one model call of at most `p_ceiling_micro`. What earlier calls left
-- over counts. `within` is false, and nothing moved, where the call could take the run past `p_max_micro`. Refuses
-- insufficient_credits, spending_cap, conflict, not_found.
-- Safe to repeat by what it does, not by a key: a second one finds the first one's credits on the hold.
create function netra.grow_hold(p_org uuid, p_hold uuid, p_fee_micro bigint, p_ceiling_micro bigint,
                                p_max_micro bigint default null, p_credits text default 'enforce')
  returns table (within boolean, held_micro bigint, spent_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_hold netra.hold;
  v_by_micro bigint;
begin
  perform netra.enter_org(p_org);
  -- A period that ended while the run went on: the next one's credits are there for it.
  if exists (select from netra.subscription s
              where s.org_id = p_org and s.ended_at is null and s.period_end <= now()) then
    perform netra.grant_period(p_org);
  end if;
  select * into v_hold from netra.hold h
   where h.org_id = p_org and h.hold_id = p_hold and h.state = 'active' for no key update;
  if not found then perform netra.refuse_hold(p_org, p_hold, 'extend', 'grow'); end if;
  within := p_max_micro is null or v_hold.spent_micro + p_fee_micro + p_ceiling_micro <= p_max_micro;
  v_by_micro := p_fee_micro + p_ceiling_micro - (v_hold.held_micro - v_hold.spent_micro);
  if within and v_by_micro > 0 then
    -- Held only grows, and its row is locked: no two extensions share a key.
    perform netra.extend_hold(p_org, p_hold, v_by_micro, format('grow/%s/%s', p_hold, v_hold.held_micro + v_by_micro),
                              case p_credits when 'observe' then 'observe' else 'plan' end);
    v_hold.held_micro := v_hold.held_micro + v_by_micro;
  end if;
  held_micro := v_hold.held_micro;
  spent_micro := v_hold.spent_micro;
  return next;
end
$$;

-- The end of a run, as in 0007, with what may be drawn beyond the balance for what it charges.
drop function netra.finish_run(uuid, uuid, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb);
drop function netra.end_run(netra.run, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb);
create function netra.end_run(
  p_run netra.run, p_token uuid, p_head int, p_events jsonb, p_type text, p_data jsonb, p_capture_micro bigint,
  p_message uuid, p_outbox jsonb, p_beyond text default 'plan', out receipt jsonb
)
  language plpgsql as $$
declare
  v_hold record;
  v_state text := case p_type when 'agent_completed' then 'completed' when 'agent_failed' then 'failed'
    when 'agent_cancelled' then 'cancelled' end;
begin
  if p_run.hold_id is null then
    -- Nothing was held for it yet, and nothing is owed.
    select 0::bigint as held_micro, 0::bigint as spent_micro, 0::bigint as released_micro,
      b.available_micro as balance_micro into strict v_hold
    from netra.read_balance(p_run.org_id) b;
  else
    select s.held_micro, s.spent_micro, s.released_micro, s.balance_micro into strict v_hold
    from netra.settle_hold(p_run.org_id, p_run.hold_id, p_capture_micro, 'run', 'run/' || p_run.run_id, p_beyond) s;
  end if;
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
  where p_run.hold_id is not null
  union all
  select p_run.org_id, (o.entry ->> 'event_id')::uuid, o.entry ->> 'kind', o.entry -> 'payload'
  from jsonb_array_elements(p_outbox) as o(entry);
end
$$;

create function netra.finish_run(
  p_org uuid, p_run uuid, p_token uuid, p_head int, p_events jsonb, p_type text, p_data jsonb, p_capture_micro bigint,
  p_message uuid, p_outbox jsonb, p_beyond text default 'plan'
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
    receipt := netra.end_run(v_run, p_token, p_head, p_events, p_type, p_data, p_capture_micro, p_message, p_outbox,
      p_beyond);
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
        v_ask -> 4, v_ask ->> 5, v_ask -> 6, (v_ask ->> 7)::bigint, (v_ask ->> 8)::uuid, v_ask -> 9,
        coalesce(v_ask ->> 10, 'plan')) f;
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
  grant create on schema netra to netra_system;
  foreach v_function in array array[
    'netra.set_spending_caps(uuid, bigint, bigint, bigint, text)',
    'netra.grow_hold(uuid, uuid, bigint, bigint, bigint, text)']::regprocedure[] loop
    execute format('alter function %s owner to netra_ledger', v_function);
  end loop;
  alter function netra.check_spending(uuid) owner to netra_system;
  revoke create on schema netra from netra_system;
  foreach v_function in array array[
    'netra.line_of(uuid)', 'netra.spending_cap_of(uuid)', 'netra.spending_period(uuid, timestamptz)', 'netra.version_at(uuid, int, bigint, timestamptz)',
    'netra.count_spending(uuid, timestamptz, jsonb)',     'netra.check_spending(uuid)', 'netra.read_spending(uuid, text)', 'netra.committed_of(uuid, text)',
    'netra.quote_run(uuid, text, text, text)', 'netra.check_agent(text, netra.plan_terms)', 'netra.inherit_caps()',
    'netra.refuse_spending(text, text, bigint, bigint, bigint)',
    'netra.set_spending_caps(uuid, bigint, bigint, bigint, text)',
    'netra.grow_hold(uuid, uuid, bigint, bigint, bigint, text)']::regprocedure[] loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('grant execute on function %s to netra_app, netra_ledger, netra_system', v_function);
  end loop;
end
$$;
revoke execute on function netra.note_spending(uuid, text, timestamptz, bigint, boolean) from public;
grant execute on function netra.note_spending(uuid, text, timestamptz, bigint, boolean) to netra_ledger;
grant execute on function netra.period_start_of(timestamptz, int) to netra_app, netra_system;
revoke execute on function
  netra.end_run(netra.run, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb, text),
  netra.finish_run(uuid, uuid, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb, text)
from public;
grant execute on function
  netra.end_run(netra.run, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb, text),
  netra.finish_run(uuid, uuid, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb, text)
to netra_app;
