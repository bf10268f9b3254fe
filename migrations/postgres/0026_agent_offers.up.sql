-- not breaking: adds which plans have the agents that an installation brings itself
-- A plan's own list of agents is dated, so that nobody's running period changes. An agent that is brought takes nothing
-- from anybody: it is in the plans that its offer names from then on, also in periods that run.
create table netra.agent_offer (
  agent      text primary key check (agent ~ '^[a-z][a-z0-9_-]{0,63}$'),
  -- Null = every plan. Empty = only where a plan's own list has it.
  plans      text[],
  changed_at timestamptz not null default now(),
  changed_by text not null check (length(changed_by) between 1 and 200)
);
-- Not tenant data: everyone may read it, and it changes through the functions below alone.
grant select on netra.agent_offer to netra_app, netra_system, netra_log, netra_ledger;
grant insert, update on netra.agent_offer to netra_ledger;

alter table netra.book_change drop constraint book_change_book_check,
  add constraint book_change_book_check check (book in ('plan', 'fee', 'price', 'offer'));

create function netra.is_offered(p_agent text, p_plan text) returns boolean
  language sql stable set search_path = pg_catalog as $$
  select exists (select from netra.agent_offer o
                  where o.agent = p_agent and (o.plans is null or p_plan = any (o.plans)))
$$;

-- The agents that a plan has by an offer, and not by its own list.
create function netra.offered_agents(p_plan text, p_agents text[]) returns text[]
  language sql stable set search_path = pg_catalog as $$
  select coalesce(array_agg(o.agent order by o.agent), '{}') from netra.agent_offer o
   where (o.plans is null or p_plan = any (o.plans)) and o.agent <> all (p_agents)
$$;

-- As before, and by an offer.
create or replace function netra.plan_that_lifts(p_limit text, p_need bigint, p_name text default null) returns text
  language sql stable as $$
  select p.plan_id
    from (select distinct on (plan_id) * from netra.plan where valid_from <= now()
           order by plan_id, valid_from desc) p
   where p.on_sale
     and case p_limit
           when 'agents' then p_name = any (p.agents) or netra.is_offered(p_name, p.plan_id)
           when 'features' then p_name = any (p.features)
           when 'runs_month' then coalesce(p.runs_month >= p_need, true)
           when 'seconds_run' then p.seconds_run >= p_need
           when 'concurrent_runs' then p.concurrent_runs >= p_need
           when 'requests_hour' then coalesce(p.requests_hour >= p_need, true)
           when 'credits_micro' then p.credits_micro >= p_need
           else false
         end
   order by p.price_usd, p.plan_id limit 1
$$;

-- As before, and what is offered.
create or replace function netra.plan_of(p_org uuid) returns netra.plan_terms
  language plpgsql volatile security definer set search_path = pg_catalog as $$
declare
  v_terms netra.plan_terms;
begin
  perform netra.enter_org(p_org);
  for v_pass in 1..2 loop
    select s.plan_id, p.runs_month, p.seconds_run, p.concurrent_runs, p.requests_hour, p.agents || netra.offered_agents(s.plan_id, p.agents), p.priority,
           s.period_start, s.period_end, p.features
      into v_terms
      from netra.subscription s
      join netra.plan p on p.plan_id = s.plan_id and p.valid_from = s.plan_valid_from
     where s.org_id = p_org and s.ended_at is null;
    if not found then
      perform netra.refuse('not_found', 'This organisation has no subscription.');
    end if;
    exit when v_pass = 2 or (v_terms.period_end > now() and not exists (
      select from netra.grant_schedule g where g.org_id = p_org and g.next_at <= now()));
    perform netra.grant_period(p_org);
  end loop;
  return v_terms;
end
$$;

-- Says which plans have an agent; null = every plan. Refuses not_found for a plan that there is not, or an agent that
-- has no fee: nobody could be charged for it.
create function netra.offer_agent(p_agent text, p_plans text[], p_by text) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_before jsonb;
  v_unknown text;
begin
  -- One editor of the books at a time.
  perform pg_advisory_xact_lock(1938, 0);
  select u.name into v_unknown from unnest(p_plans) as u(name)
   where not exists (select from netra.plan p where p.plan_id = u.name);
  if found then
    perform netra.refuse('not_found', format('There is no plan %L.', v_unknown), jsonb_build_object('plan', v_unknown));
  end if;
  if not exists (select from netra.agent_fee f where f.agent = p_agent) then
    perform netra.refuse('not_found', format('There is no agent %L with a fee.', p_agent),
                         jsonb_build_object('agent', p_agent));
  end if;
  select jsonb_build_object('plans', o.plans) into v_before from netra.agent_offer o where o.agent = p_agent;
  insert into netra.agent_offer as o (agent, plans, changed_by) values (p_agent, p_plans, p_by)
  on conflict (agent) do update set plans = excluded.plans, changed_by = excluded.changed_by, changed_at = now()
   where o.plans is distinct from excluded.plans;
  if found then
    insert into netra.book_change (changed_by, book, subject, valid_from, action, before, after)
    values (p_by, 'offer', p_agent, date_trunc('milliseconds', now()),
            case when v_before is null then 'add' else 'replace' end, v_before,
            jsonb_build_object('agent', p_agent, 'plans', p_plans));
  end if;
end
$$;

-- An agent is seen for the first time: its fee and its plans go into the books, unless they say something already. Any
-- number of nodes may do so at once. Returns what the books say now.
create function netra.open_agent(p_agent text, p_fee_micro bigint, p_plans text[], p_by text)
  returns table (fee_micro bigint, plans text[])
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := date_trunc('milliseconds', now());
begin
  perform pg_advisory_xact_lock(1938, 0);
  if not exists (select from netra.agent_fee f where f.agent = p_agent) then
    insert into netra.agent_fee (agent, valid_from, fee_micro) values (p_agent, v_now, p_fee_micro);
    insert into netra.book_change (changed_by, book, subject, valid_from, action, before, after)
    values (p_by, 'fee', p_agent, v_now, 'add', null,
            jsonb_build_object('agent', p_agent, 'fee_micro', p_fee_micro::text));
  end if;
  if not exists (select from netra.agent_offer o where o.agent = p_agent) then
    -- A plan that lists it was written by somebody who has thought about it.
    perform netra.offer_agent(p_agent,
      case when exists (select from netra.plan p where p_agent = any (p.agents)) then '{}' else p_plans end, p_by);
  end if;
  return query select netra.agent_fee_of(p_agent), o.plans from netra.agent_offer o where o.agent = p_agent;
end
$$;

revoke execute on function netra.is_offered(text, text), netra.offered_agents(text, text[]),
  netra.offer_agent(text, text[], text), netra.open_agent(text, bigint, text[], text) from public;
alter function netra.offer_agent(text, text[], text) owner to netra_ledger;
alter function netra.open_agent(text, bigint, text[], text) owner to netra_ledger;
grant execute on function netra.is_offered(text, text), netra.offered_agents(text, text[])
  to netra_app, netra_log, netra_system, netra_ledger;
grant execute on function netra.offer_agent(text, text[], text), netra.open_agent(text, bigint, text[], text)
  to netra_app, netra_system;
