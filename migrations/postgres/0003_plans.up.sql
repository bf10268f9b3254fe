-- not breaking: adds plans, fees and subscriptions
-- Plans and prices are dated data, not code: a new price is a new row, and a period keeps the row it began with.
-- Subscriptions and money move only through functions owned by netra_ledger; netra_app can read them, nothing more.
do $$
begin
  create role netra_ledger nologin nosuperuser nobypassrls noinherit;
exception when duplicate_object or unique_violation then null;
end
$$;
do $$
begin
  -- An owner who is not a superuser must be a member to hand functions over.
  if not (select rolsuper from pg_roles where rolname = current_user) then
    execute format('grant netra_ledger to %I', current_user);
  end if;
end
$$;
grant usage, create on schema netra to netra_ledger;
grant execute on function netra.current_org(), netra.enter_org(uuid), netra.refuse(text, text, jsonb) to netra_ledger;

create table netra.plan (
  plan_id            text not null check (plan_id ~ '^[a-z][a-z0-9_]{0,31}$'),
  valid_from         timestamptz not null,
  price_usd          numeric(12, 2) not null check (price_usd >= 0),
  credits_micro      bigint not null check (credits_micro >= 0),
  -- A limit that is null does not exist.
  runs_month         int check (runs_month > 0),
  seconds_run        int not null check (seconds_run > 0),
  concurrent_runs    int not null check (concurrent_runs > 0),
  requests_hour      int check (requests_hour > 0),
  agents             text[] not null,
  features           text[] not null,
  -- Runs of a higher priority are claimed first.
  priority           smallint not null,
  -- How many further periods an unused monthly grant lives. With a month's grant of M, burnt soonest expiry first,
  -- n periods keep exactly min(unused, n × M): "rolls over up to n×" needs no other rule.
  rollover_periods   smallint not null check (rollover_periods between 0 and 12),
  -- Beyond the credits: stop; up to a cap that the owner sets; or a soft limit.
  overage            text not null check (overage in ('stop', 'cap', 'soft')),
  overage_usd_credit numeric(12, 6) check (overage_usd_credit > 0),
  primary key (plan_id, valid_from),
  check ((overage = 'stop') = (overage_usd_credit is null))
);

create table netra.agent_fee (
  agent      text not null,
  valid_from timestamptz not null,
  fee_micro  bigint not null check (fee_micro >= 0),
  primary key (agent, valid_from)
);

insert into netra.plan (plan_id, valid_from, price_usd, credits_micro, runs_month, seconds_run, concurrent_runs,
                        requests_hour, agents, features, priority, rollover_periods, overage, overage_usd_credit)
values
  ('free',       '2026-01-01Z',   0.00,   100000000,   10,  30,  1,   100,
   '{triage,rehearsal}', '{usage_import}', 0, 0, 'stop', null),
  ('early',      '2026-01-01Z',  29.99,  1000000000,  100, 120,  2,  1000,
   '{triage,data,rehearsal}', '{usage_import,ledger_export}', 10, 0, 'cap', 0.035),
  ('mid',        '2026-01-01Z',  99.99,  5000000000,  500, 300,  5, 10000,
   '{triage,data,optimization,rehearsal}', '{usage_import,ledger_export}', 20, 1, 'cap', 0.025),
  ('enterprise', '2026-01-01Z', 299.99, 25000000000, null, 600, 10,  null,
   '{triage,data,optimization,research,rehearsal}', '{usage_import,ledger_export}', 30, 2, 'soft', 0.015);

-- The rehearsal agent is in every plan; whether a node runs it at all is configuration.
insert into netra.agent_fee (agent, valid_from, fee_micro)
values
  ('triage',       '2026-01-01Z',  10000000),
  ('data',         '2026-01-01Z',  50000000),
  ('optimization', '2026-01-01Z', 150000000),
  ('research',     '2026-01-01Z', 300000000),
  ('rehearsal',    '2026-01-01Z',   1000000);

-- Not tenant data: everyone may read what is on sale, nobody but the owner of the schema writes it.
grant select on netra.plan, netra.agent_fee to netra_app, netra_log, netra_system, netra_ledger;

create table netra.subscription (
  org_id          uuid not null references netra.org (org_id),
  subscription_id uuid not null,
  plan_id         text not null,
  -- Which dated row of the plan this period runs on: a price change never reaches into a period that was sold.
  plan_valid_from timestamptz not null,
  -- A downgrade waits here for the end of the period.
  next_plan_id    text,
  -- Period n runs from anchor + n months to anchor + (n + 1) months, so that 31 January does not become the 28th.
  anchor_at       timestamptz not null,
  period_index    int not null default 0 check (period_index >= 0),
  period_start    timestamptz not null,
  period_end      timestamptz not null check (period_end > period_start),
  created_at      timestamptz not null default now(),
  ended_at        timestamptz,
  primary key (org_id, subscription_id),
  foreign key (plan_id, plan_valid_from) references netra.plan (plan_id, valid_from)
);
create unique index subscription_current on netra.subscription (org_id) where ended_at is null;
create index subscription_due on netra.subscription (period_end) where ended_at is null;

alter table netra.subscription enable row level security;
alter table netra.subscription force row level security;
create policy tenant on netra.subscription to netra_app, netra_ledger
  using (org_id = netra.current_org()) with check (org_id = netra.current_org());
create policy system on netra.subscription for select to netra_system using (true);
grant select on netra.subscription to netra_app, netra_system;
grant select, insert, update on netra.subscription to netra_ledger;

-- What a plan allows the organisation in its current period. A null limit = no limit.
create type netra.plan_terms as (
  plan_id         text,
  runs_month      int,
  seconds_run     int,
  concurrent_runs int,
  requests_hour   int,
  agents          text[],
  priority        smallint,
  period_start    timestamptz,
  period_end      timestamptz,
  features        text[]
);

-- The plan of the organisation, with its limits. A period that has ended rolls forward first, so that nobody is held
-- to last month's limits because a schedule is late. Refuses not_found if the organisation has no subscription.
create function netra.plan_of(p_org uuid) returns netra.plan_terms
  language plpgsql volatile security definer set search_path = pg_catalog as $$
declare
  v_terms netra.plan_terms;
begin
  perform netra.enter_org(p_org);
  for v_pass in 1..2 loop
    select s.plan_id, p.runs_month, p.seconds_run, p.concurrent_runs, p.requests_hour, p.agents, p.priority,
           s.period_start, s.period_end, p.features
      into v_terms
      from netra.subscription s
      join netra.plan p on p.plan_id = s.plan_id and p.valid_from = s.plan_valid_from
     where s.org_id = p_org and s.ended_at is null;
    if not found then
      perform netra.refuse('not_found', 'This organisation has no subscription.');
    end if;
    exit when v_terms.period_end > now() or v_pass = 2;
    perform netra.grant_period(p_org);
  end loop;
  return v_terms;
end
$$;

-- The fee of a run of the agent, by the price in force now; null for an agent that has none.
create function netra.agent_fee_of(p_agent text) returns bigint
  language sql stable as $$
  select f.fee_micro from netra.agent_fee f
   where f.agent = p_agent and f.valid_from <= now()
   order by f.valid_from desc limit 1
$$;

-- The cheapest plan on sale under which the refused request would pass; null if none. `p_limit` is agents, features
-- (then `p_name` is the agent or feature), or runs_month, seconds_run, concurrent_runs, requests_hour, credits_micro
-- (then `p_need` is the amount needed).
create function netra.plan_that_lifts(p_limit text, p_need bigint, p_name text default null) returns text
  language sql stable as $$
  select p.plan_id
    from (select distinct on (plan_id) * from netra.plan where valid_from <= now()
           order by plan_id, valid_from desc) p
   where case p_limit
           when 'agents' then p_name = any (p.agents)
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

-- The cheapest plan whose upgrade would bring a whole period's worth of what is missing; null if none.
create function netra.plan_that_pays(p_org uuid, p_missing_micro bigint) returns text
  language sql stable as $$
  select netra.plan_that_lifts('credits_micro', p_missing_micro + coalesce((
    select p.credits_micro from netra.subscription s
      join netra.plan p on p.plan_id = s.plan_id and p.valid_from = s.plan_valid_from
     where s.org_id = p_org and s.ended_at is null), 0))
$$;

-- The start of period `p_index`, in UTC whatever the session's time zone is.
create function netra.period_start_of(p_anchor timestamptz, p_index int) returns timestamptz
  language sql immutable as $$
  select ((p_anchor at time zone 'UTC') + make_interval(months => p_index)) at time zone 'UTC'
$$;

-- The dated row of a plan in force at `p_at`; refuses not_found.
create function netra.plan_in_force(p_plan text, p_at timestamptz) returns netra.plan
  language plpgsql stable as $$
declare
  v_plan netra.plan;
begin
  select * into v_plan from netra.plan p
   where p.plan_id = p_plan and p.valid_from <= p_at order by p.valid_from desc limit 1;
  if not found then
    perform netra.refuse('not_found', format('There is no plan %L.', p_plan), jsonb_build_object('plan', p_plan));
  end if;
  return v_plan;
end
$$;

-- Grants a plan's credits for one period, once (the grant's unique index and the transfer's key both say so).
create function netra.grant_period_once(p_sub netra.subscription, p_plan netra.plan) returns bigint
  language plpgsql as $$
declare
  v_expires_at timestamptz := netra.period_start_of(p_sub.anchor_at, p_sub.period_index + 1 + p_plan.rollover_periods);
begin
  -- A period that was slept through by so much that its grant is dead gives nothing.
  if p_plan.credits_micro = 0 or v_expires_at <= now() then return 0; end if;
  -- The caller holds the subscription's row, so this is no race; the unique index would tell if it were.
  if exists (select from netra.credit_grant g where g.org_id = p_sub.org_id and g.source = 'plan'
                and g.subscription_id = p_sub.subscription_id and g.period_start = p_sub.period_start) then
    return 0;
  end if;
  return (
    select g.granted_micro from netra.grant_credits(
      p_org => p_sub.org_id, p_grant => gen_random_uuid(), p_amount_micro => p_plan.credits_micro,
      p_source => 'plan', p_priority => null, p_expires_at => v_expires_at,
      p_reason => format('%s plan, period %s', p_plan.plan_id, p_sub.period_index),
      p_key => format('period:%s:%s', p_sub.subscription_id, p_sub.period_index),
      p_subscription => p_sub.subscription_id, p_period_start => p_sub.period_start) g);
end
$$;

-- Gives the current period's credits if they were not given, and rolls the period forward when it has ended (a
-- waiting downgrade takes effect there). Safe to call at any time, any number of times, concurrently. Returns the
-- micro-credits given by this call.
create function netra.grant_period(p_org uuid) returns bigint
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_sub netra.subscription;
  v_plan netra.plan;
  v_granted_micro bigint := 0;
begin
  perform netra.enter_org(p_org);
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null for update;
  if not found then return 0; end if;
  -- 1,200 periods = a century: a bound, not an expectation.
  for v_pass in 1..1200 loop
    select * into strict v_plan from netra.plan p
     where p.plan_id = v_sub.plan_id and p.valid_from = v_sub.plan_valid_from;
    v_granted_micro := v_granted_micro + netra.grant_period_once(v_sub, v_plan);
    exit when v_sub.period_end > now();
    v_plan := netra.plan_in_force(coalesce(v_sub.next_plan_id, v_sub.plan_id), v_sub.period_end);
    update netra.subscription s
       set plan_id = v_plan.plan_id, plan_valid_from = v_plan.valid_from, next_plan_id = null,
           period_index = v_sub.period_index + 1,
           period_start = v_sub.period_end,
           period_end = netra.period_start_of(v_sub.anchor_at, v_sub.period_index + 2)
     where s.org_id = p_org and s.subscription_id = v_sub.subscription_id
    returning * into v_sub;
  end loop;
  perform netra.expire_grants(p_org);
  return v_granted_micro;
end
$$;

-- Starts the organisation's subscription and grants the first period. Called again, it changes the plan.
create function netra.subscribe(p_org uuid, p_subscription uuid, p_plan text) returns netra.plan_terms
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  -- Whole seconds: proration divides whole seconds by whole seconds.
  v_start timestamptz := date_trunc('second', now());
  v_plan netra.plan := netra.plan_in_force(p_plan, now());
begin
  perform netra.enter_org(p_org);
  insert into netra.subscription
    (org_id, subscription_id, plan_id, plan_valid_from, anchor_at, period_start, period_end)
  values (p_org, p_subscription, v_plan.plan_id, v_plan.valid_from, v_start, v_start,
          netra.period_start_of(v_start, 1))
  on conflict (org_id) where ended_at is null do nothing;
  if found then
    perform netra.grant_period(p_org);
  else
    perform netra.change_plan(p_org, p_plan);
  end if;
  return netra.plan_of(p_org);
end
$$;

-- Changes the plan. Up (more credits, or the same for more money): at once, with the difference of the two monthly
-- grants for the seconds that are left, rounded down to the micro-credit. Down: at the end of the period. The current
-- plan again: a waiting change is dropped.
create function netra.change_plan(p_org uuid, p_plan text)
  returns table (plan_id text, next_plan_id text, effective_at timestamptz, granted_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_sub netra.subscription;
  v_old netra.plan;
  v_new netra.plan := netra.plan_in_force(p_plan, now());
  v_granted_micro bigint := 0;
begin
  perform netra.grant_period(p_org);
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null for update;
  if not found then perform netra.refuse('not_found', 'This organisation has no subscription.'); end if;
  select * into strict v_old from netra.plan p
   where p.plan_id = v_sub.plan_id and p.valid_from = v_sub.plan_valid_from;
  if v_new.plan_id = v_old.plan_id then
    update netra.subscription s set next_plan_id = null
     where s.org_id = p_org and s.subscription_id = v_sub.subscription_id returning * into v_sub;
  elsif (v_new.credits_micro, v_new.price_usd) > (v_old.credits_micro, v_old.price_usd) then
    update netra.subscription s
       set plan_id = v_new.plan_id, plan_valid_from = v_new.valid_from, next_plan_id = null
     where s.org_id = p_org and s.subscription_id = v_sub.subscription_id returning * into v_sub;
    v_granted_micro := netra.grant_upgrade(v_sub, v_old, v_new);
  else
    update netra.subscription s set next_plan_id = v_new.plan_id
     where s.org_id = p_org and s.subscription_id = v_sub.subscription_id returning * into v_sub;
  end if;
  return query select v_sub.plan_id, v_sub.next_plan_id,
    case when v_sub.next_plan_id is null then now() else v_sub.period_end end, v_granted_micro;
end
$$;

-- The prorated difference: (new − old) × seconds left ÷ seconds of the period, in whole numbers throughout. Numeric,
-- since the product of a large plan and a month of seconds comes within a factor of 100 of bigint.
create function netra.grant_upgrade(p_sub netra.subscription, p_old netra.plan, p_new netra.plan) returns bigint
  language plpgsql as $$
declare
  v_total_s numeric := extract(epoch from p_sub.period_end - p_sub.period_start);
  -- The second that has begun counts as left.
  v_left_s numeric := extract(epoch from p_sub.period_end - date_trunc('second', now()));
  v_amount_micro bigint := div((p_new.credits_micro - p_old.credits_micro)::numeric * v_left_s, v_total_s);
begin
  if v_amount_micro = 0 then return 0; end if;
  return (
    select g.granted_micro from netra.grant_credits(
      p_org => p_sub.org_id, p_grant => gen_random_uuid(), p_amount_micro => v_amount_micro,
      p_source => 'upgrade', p_priority => null,
      p_expires_at => netra.period_start_of(p_sub.anchor_at, p_sub.period_index + 1 + p_new.rollover_periods),
      p_reason => format('upgrade from %s to %s, %s of %s seconds left', p_old.plan_id, p_new.plan_id,
                         v_left_s, v_total_s),
      -- A period only goes up, so it enters each plan once.
      p_key => format('upgrade:%s:%s:%s', p_sub.subscription_id, p_sub.period_index, p_new.plan_id),
      p_subscription => p_sub.subscription_id, p_period_start => p_sub.period_start) g);
end
$$;

revoke execute on function
  netra.plan_of(uuid), netra.agent_fee_of(text), netra.plan_that_lifts(text, bigint, text),
  netra.plan_that_pays(uuid, bigint), netra.period_start_of(timestamptz, int), netra.plan_in_force(text, timestamptz),
  netra.grant_period_once(netra.subscription, netra.plan), netra.grant_period(uuid),
  netra.subscribe(uuid, uuid, text), netra.change_plan(uuid, text),
  netra.grant_upgrade(netra.subscription, netra.plan, netra.plan)
  from public;
alter function netra.plan_of(uuid) owner to netra_ledger;
alter function netra.grant_period_once(netra.subscription, netra.plan) owner to netra_ledger;
alter function netra.grant_period(uuid) owner to netra_ledger;
alter function netra.subscribe(uuid, uuid, text) owner to netra_ledger;
alter function netra.change_plan(uuid, text) owner to netra_ledger;
alter function netra.grant_upgrade(netra.subscription, netra.plan, netra.plan) owner to netra_ledger;
grant execute on function netra.plan_of(uuid), netra.grant_period(uuid), netra.subscribe(uuid, uuid, text),
  netra.change_plan(uuid, text) to netra_app, netra_log, netra_system;
grant execute on function netra.agent_fee_of(text), netra.plan_that_lifts(text, bigint, text),
  netra.plan_that_pays(uuid, bigint)
  to netra_app, netra_log, netra_system, netra_ledger;
grant execute on function netra.period_start_of(timestamptz, int), netra.plan_in_force(text, timestamptz)
  to netra_ledger;
