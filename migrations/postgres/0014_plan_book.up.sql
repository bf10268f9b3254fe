-- not breaking: adds the editor's record, own prices, a subscription's charges and end, and scheduled grants
-- What an operator edits is dated data. Nothing that has begun is ever changed here: a new price or plan is a new row,
-- and only a row that lies in the future can be replaced. netra.book_change keeps who changed what, and when.
alter table netra.plan
  -- False: nobody new gets it, and it is not listed; who is on it stays, on the same terms.
  add column on_sale boolean not null default true;

create table netra.book_change (
  change_id  bigint generated always as identity primary key,
  at         timestamptz not null default now(),
  changed_by text not null check (length(changed_by) between 1 and 200),
  book       text not null check (book in ('plan', 'fee', 'price')),
  subject    text not null,
  valid_from timestamptz not null,
  action     text not null check (action in ('add', 'replace', 'retire')),
  -- What was in force at valid_from; null for something new.
  before     jsonb,
  after      jsonb not null
);
create index book_change_book on netra.book_change (book, change_id);
create trigger immutable before update or delete or truncate on netra.book_change
  for each statement execute function netra.refuse_rewrite();

-- Prices of this installation, which stand over the published ones: all tiers of a kind from a moment on.
create table netra.own_price (
  provider     text not null,
  model        text not null,
  kind         text not null check (kind in ('input', 'cached_input', 'cache_write', 'output', 'reasoning')),
  valid_from   timestamptz not null,
  above_tokens bigint not null check (above_tokens >= 0),
  -- Null = from then on the published price again.
  usd_mtok     numeric check (usd_mtok > 0 and usd_mtok < 1e9 and usd_mtok = round(usd_mtok, 12)),
  primary key (provider, model, kind, valid_from, above_tokens),
  check (usd_mtok is not null or above_tokens = 0)
);

-- Published prices begin with a day, own ones with any moment: a kept book has both.
alter table netra.price alter column valid_from type timestamptz using valid_from::timestamp at time zone 'UTC';

-- As the price book writes it: a day alone if it begins with it. Its hash, the version, is made of these.
create function netra.price_moment(p_at timestamptz) returns text
  language sql stable set search_path = pg_catalog as $$
  select to_char(p_at at time zone 'UTC', case
    when date_trunc('day', p_at at time zone 'UTC') = p_at at time zone 'UTC' then 'YYYY-MM-DD'
    else 'YYYY-MM-DD HH24:MI:SS.MS' end)
$$;

-- As before; valid_from is what netra.price_moment() writes.
create or replace function netra.keep_price_book(p_version text, p_prices jsonb) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into netra.price_book (book_version) values (p_version) on conflict do nothing;
  if not found then return false; end if;
  insert into netra.price (book_version, provider, model, kind, valid_from, above_tokens, usd_mtok)
  select p_version, r.provider, r.model, r.kind, r.valid_from at time zone 'UTC', r.above_tokens, r.usd_mtok
    from jsonb_to_recordset(p_prices) as r (provider text, model text, kind text, valid_from timestamp,
                                            above_tokens bigint, usd_mtok numeric);
  return true;
end
$$;

-- Not tenant data: everyone may read it, and it changes through netra.change_book alone.
grant select on netra.book_change, netra.own_price to netra_app, netra_system, netra_ledger;
grant insert on netra.book_change, netra.own_price, netra.plan, netra.agent_fee to netra_ledger;
grant update on netra.plan, netra.agent_fee to netra_ledger;
grant delete on netra.own_price to netra_ledger;

-- Writes changes of the books, all or none: [{book, subject, valid_from, action, before, row}]; what has no valid_from
-- begins now. p_revision is the last change that the caller had seen: refuses conflict if there is another,
-- and whatever would change a row that has begun. Returns the new revision.
create function netra.change_book(p_by text, p_revision bigint, p_changes jsonb) returns bigint
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_change jsonb;
  v_row jsonb;
  -- Milliseconds: what is shown and written back must mean the same moment.
  v_now timestamptz := date_trunc('milliseconds', now());
  v_from timestamptz;
  v_revision bigint;
begin
  -- One editor at a time; nobody else asks for this lock.
  perform pg_advisory_xact_lock(1938, 0);
  if coalesce((select max(c.change_id) from netra.book_change c), 0) <> p_revision then
    perform netra.refuse('conflict', 'The book was changed by somebody else meanwhile: try again.');
  end if;
  for v_change in select * from jsonb_array_elements(p_changes) loop
    v_from := coalesce((v_change ->> 'valid_from')::timestamptz, v_now);
    v_row := v_change -> 'row' || jsonb_build_object('valid_from', v_from);
    if v_change ->> 'book' = 'price' then
      perform netra.write_own_price(v_change -> 'row', v_from, v_now);
    elsif v_from < v_now then
      perform netra.refuse('conflict', format('%s cannot begin in the past.', v_change ->> 'subject'));
    elsif v_change ->> 'book' = 'plan' then
      insert into netra.plan select (jsonb_populate_record(null::netra.plan, v_row)).*
      on conflict (plan_id, valid_from) do update
        set price_usd = excluded.price_usd, credits_micro = excluded.credits_micro,
            runs_month = excluded.runs_month, seconds_run = excluded.seconds_run,
            concurrent_runs = excluded.concurrent_runs, requests_hour = excluded.requests_hour,
            agents = excluded.agents, features = excluded.features, priority = excluded.priority,
            rollover_periods = excluded.rollover_periods, overage = excluded.overage,
            overage_usd_credit = excluded.overage_usd_credit, on_sale = excluded.on_sale
      where plan.valid_from > v_now;
    else
      insert into netra.agent_fee select (jsonb_populate_record(null::netra.agent_fee, v_row)).*
      on conflict (agent, valid_from) do update set fee_micro = excluded.fee_micro where agent_fee.valid_from > v_now;
    end if;
    if not found then
      perform netra.refuse('conflict', format('%s has begun and is not changed: give a later time.', v_change ->> 'subject'));
    end if;
    insert into netra.book_change (changed_by, book, subject, valid_from, action, before, after)
    values (p_by, v_change ->> 'book', v_change ->> 'subject', v_from, v_change ->> 'action',
            nullif(v_change -> 'before', 'null'::jsonb), v_change -> 'row')
    returning change_id into v_revision;
  end loop;
  return coalesce(v_revision, p_revision);
end
$$;

-- All tiers of a kind of token from a moment on: {provider, model, kind, tiers: [{above_tokens, usd_mtok}]}; without
-- tiers, the published ones again. What is planned is replaced; what has begun stays as it was, and nothing is put
-- before p_now where an own price was in force. (What the published book said then, its caller knows.)
create function netra.write_own_price(p_price jsonb, p_from timestamptz, p_now timestamptz) returns void
  language plpgsql as $$
declare
  v_provider text := p_price ->> 'provider';
  v_model text := p_price ->> 'model';
  v_kind text := p_price ->> 'kind';
begin
  if p_from <= p_now and exists (
    select from netra.own_price o
     where (o.provider, o.model, o.kind) = (v_provider, v_model, v_kind)
       and (o.valid_from = p_from or (o.valid_from < p_from and p_from < p_now))) then
    perform netra.refuse('conflict', format('A price of %s/%s %s was in force at %s: give a later time.',
      v_provider, v_model, v_kind, p_from));
  end if;
  delete from netra.own_price o
   where (o.provider, o.model, o.kind, o.valid_from) = (v_provider, v_model, v_kind, p_from);
  insert into netra.own_price (provider, model, kind, valid_from, above_tokens, usd_mtok)
  select v_provider, v_model, v_kind, p_from, t.above_tokens, t.usd_mtok
    from jsonb_to_recordset(p_price -> 'tiers') as t (above_tokens bigint, usd_mtok numeric)
   union all
  select v_provider, v_model, v_kind, p_from, 0, null where p_price -> 'tiers' = '[]';
end
$$;

-- The dated row of a plan that is sold at `p_at`; refuses not_found.
create function netra.plan_on_sale(p_plan text, p_at timestamptz) returns netra.plan
  language plpgsql stable as $$
declare
  v_plan netra.plan := netra.plan_in_force(p_plan, p_at);
begin
  if not v_plan.on_sale then
    perform netra.refuse('not_found', format('The plan %L is no longer on sale.', p_plan),
                         jsonb_build_object('plan', p_plan));
  end if;
  return v_plan;
end
$$;

-- As before, of plans that are on sale.
create or replace function netra.plan_that_lifts(p_limit text, p_need bigint, p_name text default null) returns text
  language sql stable as $$
  select p.plan_id
    from (select distinct on (plan_id) * from netra.plan where valid_from <= now()
           order by plan_id, valid_from desc) p
   where p.on_sale
     and case p_limit
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

alter table netra.subscription
  -- Counts what happened to it: the key under which each change is told once.
  add column version int not null default 0,
  -- It ends with its period; next_plan_id is then what the organisation falls to.
  add column cancelled_at timestamptz,
  -- The plan that a cancellation ended last, until another is chosen: what reactivation brings back.
  add column ended_plan_id text,
  add column plan_ended_at timestamptz,
  add check (cancelled_at is null or next_plan_id is not null);

-- What a subscription owes: the price of each period that was entered, and the prorated difference of each upgrade.
-- Invoices are made from this and from the ledger. A period has its base row from the moment that it is entered.
create table netra.subscription_charge (
  org_id          uuid not null,
  charge_id       uuid not null default gen_random_uuid(),
  subscription_id uuid not null,
  period_index    int not null,
  period_start    timestamptz not null,
  period_end      timestamptz not null,
  plan_id         text not null,
  plan_valid_from timestamptz not null,
  kind            text not null check (kind in ('base', 'upgrade')),
  -- Exact; of an upgrade to the 20th decimal. Rounded on the invoice, and there alone.
  exact_usd       numeric not null check (exact_usd >= 0),
  description     text not null,
  at              timestamptz not null default now(),
  primary key (org_id, charge_id),
  foreign key (org_id, subscription_id) references netra.subscription (org_id, subscription_id),
  foreign key (plan_id, plan_valid_from) references netra.plan (plan_id, valid_from)
);
create unique index subscription_charge_base on netra.subscription_charge (org_id, subscription_id, period_index)
  where kind = 'base';
create unique index subscription_charge_upgrade on netra.subscription_charge
  (org_id, subscription_id, period_index, plan_id, plan_valid_from) where kind = 'upgrade';

-- Credits to be given later, once or again and again. Occurrence n is due n steps after first_at.
create table netra.grant_schedule (
  org_id        uuid not null references netra.org (org_id),
  schedule_id   uuid not null,
  key           text not null check (length(key) between 1 and 200),
  source        text not null check (source in ('promotion', 'adjustment', 'purchase')),
  amount_micro  bigint not null check (amount_micro > 0),
  -- Null = the usual one of its source.
  priority      smallint,
  reason        text not null check (length(reason) between 1 and 200),
  first_at      timestamptz not null,
  every_unit    text check (every_unit in ('day', 'month')),
  every_count   int check (every_count between 1 and 1200),
  -- Null = until it is stopped.
  times         int check (times between 1 and 12000),
  -- How long each lives; null = for ever.
  expires_unit  text check (expires_unit in ('day', 'month')),
  expires_count int check (expires_count between 1 and 12000),
  -- What is left of earlier ones above this ends unused before the next is given; null = all of it stays.
  cap_micro     bigint check (cap_micro >= 0),
  next_index    int not null default 0,
  -- Null = nothing more to give.
  next_at       timestamptz,
  -- Occurrences that were due so long ago that nothing of them would be left.
  skipped       int not null default 0,
  created_by    text not null,
  created_at    timestamptz not null default now(),
  stopped_by    text,
  stopped_at    timestamptz,
  primary key (org_id, schedule_id),
  unique (org_id, key),
  check ((every_unit is null) = (every_count is null)),
  check ((expires_unit is null) = (expires_count is null)),
  check (every_unit is not null or (times = 1 and cap_micro is null))
);
create index grant_schedule_due on netra.grant_schedule (next_at) where next_at is not null;
create index grant_schedule_org on netra.grant_schedule (org_id, next_at) where next_at is not null;

-- Which grant an occurrence became: one, whoever gives it.
create table netra.scheduled_grant (
  org_id      uuid not null,
  schedule_id uuid not null,
  occurrence  int not null,
  due_at      timestamptz not null,
  grant_id    uuid not null,
  at          timestamptz not null default now(),
  primary key (org_id, schedule_id, occurrence),
  foreign key (org_id, schedule_id) references netra.grant_schedule (org_id, schedule_id),
  foreign key (org_id, grant_id) references netra.credit_grant (org_id, grant_id)
);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['subscription_charge', 'grant_schedule', 'scheduled_grant'] loop
    execute format('alter table netra.%I enable row level security', v_table);
    execute format('alter table netra.%I force row level security', v_table);
    execute format('create policy tenant on netra.%I to netra_app, netra_ledger using (org_id = netra.current_org()) '
                   'with check (org_id = netra.current_org())', v_table);
    execute format('create policy system on netra.%I for select to netra_system using (true)', v_table);
    execute format('grant select on netra.%I to netra_app, netra_system', v_table);
    execute format('grant select, insert%s on netra.%I to netra_ledger',
                   case when v_table = 'grant_schedule' then ', update' else '' end, v_table);
  end loop;
end
$$;

-- The prorated part of a difference: the second that has begun counts as left, and a period is whole seconds long.
create function netra.seconds_left(p_sub netra.subscription, out left_s numeric, out total_s numeric)
  language sql stable as $$
  select extract(epoch from p_sub.period_end - date_trunc('second', now())),
         extract(epoch from p_sub.period_end - p_sub.period_start)
$$;

-- The price of the period that the subscription is in, once. True if this call entered the period.
create function netra.charge_period(p_sub netra.subscription, p_plan netra.plan) returns boolean
  language plpgsql as $$
begin
  insert into netra.subscription_charge (org_id, subscription_id, period_index, period_start, period_end, plan_id,
    plan_valid_from, kind, exact_usd, description)
  values (p_sub.org_id, p_sub.subscription_id, p_sub.period_index, p_sub.period_start, p_sub.period_end,
    p_plan.plan_id, p_plan.valid_from, 'base', p_plan.price_usd,
    format('%s plan, %s to %s', p_plan.plan_id, to_char(p_sub.period_start at time zone 'UTC', 'YYYY-MM-DD'),
           to_char(p_sub.period_end at time zone 'UTC', 'YYYY-MM-DD')))
  on conflict (org_id, subscription_id, period_index) where kind = 'base' do nothing;
  return found;
end
$$;

-- What an upgrade costs for the seconds that are left: (new − old) × left ÷ total. A plan with more credits for less
-- money costs nothing more now, and less from the next period on.
create function netra.charge_upgrade(p_sub netra.subscription, p_old netra.plan, p_new netra.plan) returns void
  language plpgsql as $$
declare
  v_time record := netra.seconds_left(p_sub);
begin
  insert into netra.subscription_charge (org_id, subscription_id, period_index, period_start, period_end, plan_id,
    plan_valid_from, kind, exact_usd, description)
  values (p_sub.org_id, p_sub.subscription_id, p_sub.period_index, p_sub.period_start, p_sub.period_end,
    p_new.plan_id, p_new.valid_from, 'upgrade',
    trim_scale(round((greatest(p_new.price_usd - p_old.price_usd, 0) * v_time.left_s)::numeric(60, 30) / v_time.total_s, 20)),
    format('upgrade from %s to %s, %s of %s seconds', p_old.plan_id, p_new.plan_id, trim_scale(v_time.left_s),
           trim_scale(v_time.total_s)))
  on conflict (org_id, subscription_id, period_index, plan_id, plan_valid_from) where kind = 'upgrade' do nothing;
end
$$;

-- As before; the key also names the dated row, since a plan can be edited and entered again within a period.
create or replace function netra.grant_upgrade(p_sub netra.subscription, p_old netra.plan, p_new netra.plan)
  returns bigint
  language plpgsql as $$
declare
  v_time record := netra.seconds_left(p_sub);
  -- Numeric: the product of a large plan and a month of seconds comes within a factor of 100 of bigint.
  v_amount_micro bigint := div((p_new.credits_micro - p_old.credits_micro)::numeric * v_time.left_s, v_time.total_s);
begin
  if v_amount_micro = 0 then return 0; end if;
  return (
    select g.granted_micro from netra.grant_credits(
      p_org => p_sub.org_id, p_grant => gen_random_uuid(), p_amount_micro => v_amount_micro,
      p_source => 'upgrade', p_priority => null,
      p_expires_at => netra.period_start_of(p_sub.anchor_at, p_sub.period_index + 1 + p_new.rollover_periods),
      p_reason => format('upgrade from %s to %s, %s of %s seconds left', p_old.plan_id, p_new.plan_id,
                         v_time.left_s, v_time.total_s),
      -- A period only goes up, so it enters each dated row once.
      p_key => format('upgrade:%s:%s:%s:%s', p_sub.subscription_id, p_sub.period_index, p_new.plan_id,
                      (extract(epoch from p_new.valid_from) * 1000000)::bigint),
      p_subscription => p_sub.subscription_id, p_period_start => p_sub.period_start) g);
end
$$;

-- Tells whoever subscribed to it, in this transaction; once for each version of the subscription.
create function netra.tell_subscription(p_sub netra.subscription, p_type text, p_from_plan text) returns void
  language plpgsql as $$
begin
  perform netra.emit_webhook(p_sub.org_id, p_type, format('%s:%s', p_sub.subscription_id, p_sub.version),
    jsonb_build_object('subscription', p_sub.subscription_id, 'plan', p_sub.plan_id, 'previous_plan', p_from_plan,
      'next_plan', p_sub.next_plan_id, 'cancelled_at', p_sub.cancelled_at, 'period_start', p_sub.period_start,
      'period_end', p_sub.period_end));
end
$$;

-- Enters each period up to the present one: its price, its credits, and the change of plan that waited for it.
create function netra.roll_periods(p_sub netra.subscription) returns bigint
  language plpgsql as $$
declare
  v_sub netra.subscription := p_sub;
  v_next netra.subscription;
  v_plan netra.plan;
  v_granted_micro bigint := 0;
begin
  -- 1,200 periods = a century: a bound, not an expectation.
  for v_pass in 1..1200 loop
    select * into strict v_plan from netra.plan p
     where p.plan_id = v_sub.plan_id and p.valid_from = v_sub.plan_valid_from;
    -- The price says that the period was entered: a plan without credits leaves no grant that could.
    if netra.charge_period(v_sub, v_plan) then
      v_granted_micro := v_granted_micro + netra.grant_period_once(v_sub, v_plan);
    end if;
    exit when v_sub.period_end > now();
    v_plan := netra.plan_in_force(coalesce(v_sub.next_plan_id, v_sub.plan_id), v_sub.period_end);
    update netra.subscription s
       set plan_id = v_plan.plan_id, plan_valid_from = v_plan.valid_from, next_plan_id = null, cancelled_at = null,
           ended_plan_id = case when v_sub.cancelled_at is not null then v_sub.plan_id
                                when v_plan.plan_id = v_sub.plan_id then v_sub.ended_plan_id end,
           plan_ended_at = case when v_sub.cancelled_at is not null then v_sub.period_end
                                when v_plan.plan_id = v_sub.plan_id then v_sub.plan_ended_at end,
           version = v_sub.version + 1,
           period_index = v_sub.period_index + 1,
           period_start = v_sub.period_end,
           period_end = netra.period_start_of(v_sub.anchor_at, v_sub.period_index + 2)
     where s.org_id = v_sub.org_id and s.subscription_id = v_sub.subscription_id
    returning * into v_next;
    if v_sub.cancelled_at is not null then
      perform netra.tell_subscription(v_next, 'subscription.ended', v_sub.plan_id);
    elsif v_next.plan_id <> v_sub.plan_id then
      perform netra.tell_subscription(v_next, 'subscription.changed', v_sub.plan_id);
    end if;
    v_sub := v_next;
  end loop;
  return v_granted_micro;
end
$$;

-- As before, and gives what is scheduled.
create or replace function netra.grant_period(p_org uuid) returns bigint
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_sub netra.subscription;
  v_granted_micro bigint := 0;
begin
  perform netra.enter_org(p_org);
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null for update;
  if found then v_granted_micro := netra.roll_periods(v_sub); end if;
  v_granted_micro := v_granted_micro + netra.give_scheduled(p_org);
  perform netra.expire_grants(p_org);
  return v_granted_micro;
end
$$;

-- As before, and a grant that is due is given first.
create or replace function netra.plan_of(p_org uuid) returns netra.plan_terms
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
    exit when v_pass = 2 or (v_terms.period_end > now() and not exists (
      select from netra.grant_schedule g where g.org_id = p_org and g.next_at <= now()));
    perform netra.grant_period(p_org);
  end loop;
  return v_terms;
end
$$;

-- As before; of plans that are on sale.
create or replace function netra.subscribe(p_org uuid, p_subscription uuid, p_plan text) returns netra.plan_terms
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  -- Whole seconds: proration divides whole seconds by whole seconds.
  v_start timestamptz := date_trunc('second', now());
  v_plan netra.plan := netra.plan_in_force(p_plan, now());
begin
  perform netra.enter_org(p_org);
  insert into netra.subscription
    (org_id, subscription_id, plan_id, plan_valid_from, anchor_at, period_start, period_end)
  select p_org, p_subscription, v_plan.plan_id, v_plan.valid_from, v_start, v_start, netra.period_start_of(v_start, 1)
   where v_plan.on_sale
  on conflict (org_id) where ended_at is null do nothing;
  if found then
    perform netra.grant_period(p_org);
  elsif exists (select from netra.subscription s where s.org_id = p_org and s.ended_at is null) then
    perform netra.change_plan(p_org, p_plan);
  else
    perform netra.plan_on_sale(p_plan, now());
  end if;
  return netra.plan_of(p_org);
end
$$;

-- As before, of plans that are on sale; a change also takes the place of a cancellation, and an upgrade is charged.
create or replace function netra.change_plan(p_org uuid, p_plan text)
  returns table (plan_id text, next_plan_id text, effective_at timestamptz, granted_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_sub netra.subscription;
  v_old netra.plan;
  v_new netra.plan := netra.plan_in_force(p_plan, now());
  v_up boolean;
  v_next text;
  v_granted_micro bigint := 0;
begin
  perform netra.grant_period(p_org);
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null for update;
  if not found then perform netra.refuse('not_found', 'This organisation has no subscription.'); end if;
  select * into strict v_old from netra.plan p
   where p.plan_id = v_sub.plan_id and p.valid_from = v_sub.plan_valid_from;
  if v_new.plan_id <> v_old.plan_id then v_new := netra.plan_on_sale(p_plan, now()); end if;
  v_up := v_new.plan_id <> v_old.plan_id
    and (v_new.credits_micro, v_new.price_usd) > (v_old.credits_micro, v_old.price_usd);
  v_next := case when not v_up and v_new.plan_id <> v_old.plan_id then v_new.plan_id end;
  if v_up or v_sub.cancelled_at is not null or v_sub.next_plan_id is distinct from v_next then
    update netra.subscription s
       set plan_id = case when v_up then v_new.plan_id else s.plan_id end,
           plan_valid_from = case when v_up then v_new.valid_from else s.plan_valid_from end,
           next_plan_id = v_next, cancelled_at = null, version = s.version + 1,
           ended_plan_id = case when not v_up then s.ended_plan_id end,
           plan_ended_at = case when not v_up then s.plan_ended_at end
     where s.org_id = p_org and s.subscription_id = v_sub.subscription_id returning * into v_sub;
    if v_up then
      v_granted_micro := netra.grant_upgrade(v_sub, v_old, v_new);
      perform netra.charge_upgrade(v_sub, v_old, v_new);
    end if;
    perform netra.tell_subscription(v_sub, 'subscription.changed', v_old.plan_id);
  end if;
  return query select v_sub.plan_id, v_sub.next_plan_id,
    case when v_sub.next_plan_id is null then now() else v_sub.period_end end, v_granted_micro;
end
$$;

-- The organisation's subscription as it is now: periods that have ended are rolled first.
create function netra.read_subscription(p_org uuid)
  returns table (subscription_id uuid, plan_id text, price_usd numeric, credits_micro bigint, next_plan_id text,
                 cancelled_at timestamptz, ended_plan_id text, plan_ended_at timestamptz, period_index int,
                 period_start timestamptz, period_end timestamptz, overage text, overage_usd_credit numeric)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.plan_of(p_org);
  return query
  select s.subscription_id, s.plan_id, p.price_usd, p.credits_micro, s.next_plan_id, s.cancelled_at, s.ended_plan_id,
         s.plan_ended_at, s.period_index, s.period_start, s.period_end, p.overage, p.overage_usd_credit
    from netra.subscription s
    join netra.plan p on p.plan_id = s.plan_id and p.valid_from = s.plan_valid_from
   where s.org_id = p_org and s.ended_at is null;
end
$$;

-- Ends the plan with its period; the organisation then falls to `p_fallback`. Again: nothing changes.
create function netra.cancel_subscription(p_org uuid, p_fallback text) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_sub netra.subscription;
  v_fallback netra.plan := netra.plan_in_force(p_fallback, now());
begin
  perform netra.grant_period(p_org);
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null for update;
  if not found then perform netra.refuse('not_found', 'This organisation has no subscription.'); end if;
  if v_sub.plan_id = v_fallback.plan_id then
    perform netra.refuse('conflict', format('The %s plan is where a cancellation leads: there is nothing to cancel.',
      v_sub.plan_id), jsonb_build_object('plan', v_sub.plan_id));
  end if;
  if v_sub.cancelled_at is not null then return; end if;
  update netra.subscription s
     set next_plan_id = v_fallback.plan_id, cancelled_at = now(), version = s.version + 1
   where s.org_id = p_org and s.subscription_id = v_sub.subscription_id returning * into v_sub;
  perform netra.tell_subscription(v_sub, 'subscription.changed', v_sub.plan_id);
end
$$;

-- Takes a cancellation back. Before the end of the period: it is dropped. After it: the plan that ended is subscribed
-- again, as an upgrade from now on. Neither: nothing changes.
create function netra.reactivate_subscription(p_org uuid) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_sub netra.subscription;
begin
  perform netra.grant_period(p_org);
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null for update;
  if not found then perform netra.refuse('not_found', 'This organisation has no subscription.'); end if;
  if v_sub.cancelled_at is not null then
    perform netra.change_plan(p_org, v_sub.plan_id);
  elsif v_sub.ended_plan_id is not null then
    perform netra.change_plan(p_org, v_sub.ended_plan_id);
  end if;
end
$$;

-- `p_count` days or months after `p_from`, in UTC whatever the session's time zone is.
create function netra.step_from(p_from timestamptz, p_unit text, p_count int) returns timestamptz
  language sql immutable as $$
  select ((p_from at time zone 'UTC') + case p_unit when 'month' then make_interval(months => p_count)
                                                    else make_interval(days => p_count) end) at time zone 'UTC'
$$;

-- When occurrence `p_index` is due: counted from the first, so that the 31st stays the last of the month.
create function netra.occurrence_at(p_schedule netra.grant_schedule, p_index int) returns timestamptz
  language sql immutable as $$
  select case when p_index = 0 then p_schedule.first_at
              else netra.step_from(p_schedule.first_at, p_schedule.every_unit, p_schedule.every_count * p_index) end
$$;

-- When what an occurrence gave ends; null = never. Monthly credits that live for months end when others are due.
create function netra.occurrence_end(p_schedule netra.grant_schedule, p_index int) returns timestamptz
  language sql immutable as $$
  select case when p_schedule.expires_unit is null then null
              when p_schedule.expires_unit = p_schedule.every_unit then netra.step_from(p_schedule.first_at,
                p_schedule.every_unit, p_schedule.every_count * p_index + p_schedule.expires_count)
              else netra.step_from(netra.occurrence_at(p_schedule, p_index), p_schedule.expires_unit,
                p_schedule.expires_count) end
$$;

-- Ends what is left of a schedule's grants above its cap, oldest first; no other grant is touched. A grant of which
-- nothing may stay ends, so that what a hold gives back to it is not spent after all.
create function netra.cap_rollover(p_org uuid, p_schedule uuid, p_cap_micro bigint, p_key text) returns void
  language plpgsql as $$
declare
  v_ended_micro bigint;
begin
  perform from netra.wallet w where w.org_id = p_org and w.wallet_id = 0 for no key update;
  with stock as (
    select g.grant_id, g.remaining_micro,
           sum(g.remaining_micro) over (order by o.occurrence desc rows unbounded preceding) as upto_micro
      from netra.scheduled_grant o
      join netra.credit_grant g on g.org_id = o.org_id and g.grant_id = o.grant_id
     where o.org_id = p_org and o.schedule_id = p_schedule and g.live and g.expires_at > now()
  ), beyond as (
    select s.grant_id, least(s.remaining_micro, s.upto_micro - p_cap_micro)::bigint as part_micro
      from stock s
     where s.upto_micro > p_cap_micro or (s.upto_micro = p_cap_micro and s.remaining_micro = 0)
  ), ended as (
    update netra.credit_grant g
       set expired_micro = g.expired_micro + b.part_micro, remaining_micro = g.remaining_micro - b.part_micro,
           expires_at = case when g.remaining_micro = b.part_micro then now() else g.expires_at end,
           live = g.remaining_micro > b.part_micro or g.held_micro > 0
      from beyond b where g.org_id = p_org and g.grant_id = b.grant_id
  )
  select coalesce(sum(b.part_micro), 0) into v_ended_micro from beyond b;
  if v_ended_micro = 0 then return; end if;
  perform netra.post(p_org, 0, 'expire', p_key, v_ended_micro, 'above the roll-over cap',
    p_available_micro => -v_ended_micro, p_expired_micro => v_ended_micro);
end
$$;

-- Gives what is due of the organisation's schedules, each occurrence once: the schedule's row is locked, and the
-- occurrence is a key. Of occurrences that were slept through, those give nothing whose credits would have ended, or
-- whose credits the cap would have ended. The caller holds the subscription's row, if there is one.
create function netra.give_scheduled(p_org uuid) returns bigint
  language plpgsql as $$
declare
  v_schedule netra.grant_schedule;
  v_last int;
  v_first int;
  v_grant record;
  v_count int;
  v_granted_micro bigint := 0;
begin
  for v_schedule in
    select * from netra.grant_schedule g where g.org_id = p_org and g.next_at <= now()
     order by g.schedule_id for update
  loop
    v_last := v_schedule.next_index;
    while (v_schedule.times is null or v_last + 1 < v_schedule.times)
      and netra.occurrence_at(v_schedule, v_last + 1) <= now() loop
      v_last := v_last + 1;
    end loop;
    -- So many in a row fill the cap whatever was left before: earlier ones would only be ended again.
    v_first := greatest(v_schedule.next_index::numeric,
      coalesce(v_last - ceil(v_schedule.cap_micro::numeric / v_schedule.amount_micro), 0));
    v_count := 0;
    for v_index in v_first..v_last loop
      continue when netra.occurrence_end(v_schedule, v_index) <= now();
      if v_schedule.cap_micro is not null then
        perform netra.cap_rollover(p_org, v_schedule.schedule_id, v_schedule.cap_micro,
          format('cap:%s:%s', v_schedule.schedule_id, v_index));
      end if;
      select * into strict v_grant from netra.grant_credits(
        p_org => p_org, p_grant => gen_random_uuid(), p_amount_micro => v_schedule.amount_micro,
        p_source => v_schedule.source, p_priority => v_schedule.priority,
        p_expires_at => netra.occurrence_end(v_schedule, v_index), p_reason => v_schedule.reason,
        p_key => format('schedule:%s:%s', v_schedule.schedule_id, v_index));
      insert into netra.scheduled_grant (org_id, schedule_id, occurrence, due_at, grant_id)
      values (p_org, v_schedule.schedule_id, v_index, netra.occurrence_at(v_schedule, v_index), v_grant.grant_id);
      v_granted_micro := v_granted_micro + v_grant.granted_micro;
      v_count := v_count + 1;
    end loop;
    update netra.grant_schedule g
       set next_index = v_last + 1, skipped = g.skipped + v_last + 1 - g.next_index - v_count,
           next_at = case when v_last + 1 < coalesce(g.times, v_last + 2)
                          then netra.occurrence_at(v_schedule, v_last + 1) end
     where g.org_id = p_org and g.schedule_id = v_schedule.schedule_id;
  end loop;
  return v_granted_micro;
end
$$;

-- Schedules credits, and gives what is due at once. The same key and terms again change nothing; p_first_at null = now.
create function netra.schedule_grant(p_org uuid, p_schedule uuid, p_key text, p_source text, p_amount_micro bigint,
    p_priority smallint, p_reason text, p_first_at timestamptz, p_every_unit text, p_every_count int, p_times int,
    p_expires_unit text, p_expires_count int, p_cap_micro bigint, p_by text) returns uuid
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_first_at timestamptz := coalesce(p_first_at, date_trunc('milliseconds', now()));
  v_known netra.grant_schedule;
begin
  perform netra.enter_org(p_org);
  select * into v_known from netra.grant_schedule g where g.org_id = p_org and g.key = p_key;
  if found then
    if (v_known.source, v_known.amount_micro, v_known.priority, v_known.reason, v_known.every_unit,
        v_known.every_count, v_known.times, v_known.expires_unit, v_known.expires_count, v_known.cap_micro,
        v_known.first_at)
       is distinct from (p_source, p_amount_micro, p_priority, p_reason, p_every_unit, p_every_count, p_times,
        p_expires_unit, p_expires_count, p_cap_micro, coalesce(p_first_at, v_known.first_at)) then
      perform netra.refuse('idempotency_key_reused', 'This key was used for another grant.',
                           jsonb_build_object('key', p_key));
    end if;
    perform netra.grant_period(p_org);
    return v_known.schedule_id;
  end if;
  if p_first_at < now() then
    perform netra.refuse('invalid_request', 'Credits are given now or later, not in the past.');
  end if;
  begin
    insert into netra.grant_schedule (org_id, schedule_id, key, source, amount_micro, priority, reason, first_at,
      every_unit, every_count, times, expires_unit, expires_count, cap_micro, next_at, created_by)
    values (p_org, p_schedule, p_key, p_source, p_amount_micro, p_priority, p_reason, v_first_at, p_every_unit,
      p_every_count, p_times, p_expires_unit, p_expires_count, p_cap_micro, v_first_at, p_by);
  exception
    when foreign_key_violation then
      perform netra.refuse('not_found', 'There is no such organisation.', jsonb_build_object('org', p_org));
    when unique_violation then
      perform netra.retry_movement();
  end;
  perform netra.grant_period(p_org);
  return p_schedule;
end
$$;

-- Gives what is due, and then nothing more. Again: nothing changes.
create function netra.stop_grant_schedule(p_org uuid, p_schedule uuid, p_by text) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.grant_period(p_org);
  update netra.grant_schedule g
     set next_at = null, stopped_at = coalesce(g.stopped_at, now()), stopped_by = coalesce(g.stopped_by, p_by)
   where g.org_id = p_org and g.schedule_id = p_schedule;
  if not found then
    perform netra.refuse('not_found', 'There is no such schedule.', jsonb_build_object('schedule', p_schedule));
  end if;
end
$$;

-- As before, and organisations with a grant that is due.
create or replace function netra.orgs_due(p_limit int) returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
  (select s.org_id from netra.subscription s where s.ended_at is null and s.period_end <= now() limit p_limit)
  union
  (select g.org_id from netra.credit_grant g
    where g.live and g.expires_at <= now() and g.expires_at < 'infinity' and g.remaining_micro > 0 limit p_limit)
  union
  (select d.org_id from netra.grant_schedule d where d.next_at <= now() limit p_limit)
  limit p_limit
$$;

-- Subscriptions that there are owe their current period: the plan that it began on, as its grant names it, and the
-- upgrades since, as their grants tell them. (One that brought no credits has left no trace: it owes nothing more.)
do $$
declare
  v_table text;
begin
  -- An owner who is no superuser sees its own rows only so.
  foreach v_table in array array['subscription', 'subscription_charge', 'credit_grant'] loop
    execute format('alter table netra.%I no force row level security', v_table);
  end loop;

  with told as (
    select g.*, regexp_match(g.reason, '^upgrade from (\S+) to (\S+), ([0-9.]+) of ([0-9.]+) seconds left$') as said
      from netra.credit_grant g where g.source = 'upgrade'
  ), upgrade as (
    select t.*, row_number() over (partition by t.org_id, t.subscription_id order by t.effective_at) as place
      from told t
      join netra.subscription s on s.org_id = t.org_id and s.subscription_id = t.subscription_id
       and s.period_start = t.period_start and s.ended_at is null
     where t.said is not null
  ), entry as (
    select s.*, coalesce(
        (select split_part(g.reason, ' plan, period ', 1) from netra.credit_grant g
          where g.org_id = s.org_id and g.source = 'plan' and g.subscription_id = s.subscription_id
            and g.period_start = s.period_start),
        (select u.said[1] from upgrade u
          where u.org_id = s.org_id and u.subscription_id = s.subscription_id and u.place = 1),
        s.plan_id) as entry_plan_id
      from netra.subscription s where s.ended_at is null
  -- The dated rows that the period has been on, in their order: an edit of a plan never changed the one it was on.
  ), stay as (
    select e.org_id, e.subscription_id, 0::bigint as place, e.entry_plan_id as plan_id,
           case when e.period_index = 0 then e.created_at else e.period_start end as since, null::text[] as said
      from entry e
    union all
    select u.org_id, u.subscription_id, u.place, u.said[2], u.effective_at, u.said from upgrade u
  ), dated as (
    select t.*, p.valid_from, p.price_usd,
           lag(p.plan_id) over sub as from_plan_id, lag(p.price_usd) over sub as from_price_usd
      from stay t
      join netra.subscription s on s.org_id = t.org_id and s.subscription_id = t.subscription_id
     cross join lateral (
       select q.plan_id, q.valid_from, q.price_usd from netra.plan q
        where q.plan_id = t.plan_id
          and q.valid_from <= case when q.plan_id = s.plan_id then s.plan_valid_from else t.since end
        order by q.valid_from desc limit 1) p
    window sub as (partition by t.org_id, t.subscription_id order by t.place)
  )
  insert into netra.subscription_charge (org_id, subscription_id, period_index, period_start, period_end, plan_id,
    plan_valid_from, kind, exact_usd, description)
  select s.org_id, s.subscription_id, s.period_index, s.period_start, s.period_end, d.plan_id, d.valid_from,
         case when d.place = 0 then 'base' else 'upgrade' end,
         case when d.place = 0 then d.price_usd
              else trim_scale(round((greatest(d.price_usd - d.from_price_usd, 0) * d.said[3]::numeric)::numeric(60, 30)
                                    / d.said[4]::numeric, 20)) end,
         case when d.place = 0 then format('%s plan, %s to %s', d.plan_id,
                to_char(s.period_start at time zone 'UTC', 'YYYY-MM-DD'),
                to_char(s.period_end at time zone 'UTC', 'YYYY-MM-DD'))
              else format('upgrade from %s to %s, %s of %s seconds', d.from_plan_id, d.plan_id,
                trim_scale(d.said[3]::numeric), trim_scale(d.said[4]::numeric)) end
    from dated d
    join netra.subscription s on s.org_id = d.org_id and s.subscription_id = d.subscription_id;

  foreach v_table in array array['subscription', 'subscription_charge', 'credit_grant'] loop
    execute format('alter table netra.%I force row level security', v_table);
  end loop;
end
$$;

do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'netra' and p.proname in ('change_book', 'write_own_price', 'plan_on_sale', 'seconds_left',
       'charge_period', 'charge_upgrade', 'tell_subscription', 'roll_periods', 'read_subscription',
       'cancel_subscription', 'reactivate_subscription', 'step_from', 'occurrence_at', 'occurrence_end',
       'cap_rollover', 'give_scheduled', 'schedule_grant', 'stop_grant_schedule')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_ledger', v_function);
  end loop;
end
$$;
revoke execute on function netra.price_moment(timestamptz) from public;
grant execute on function netra.price_moment(timestamptz) to netra_app, netra_system, netra_ledger;
grant execute on function netra.change_book(text, bigint, jsonb), netra.read_subscription(uuid),
  netra.cancel_subscription(uuid, text), netra.reactivate_subscription(uuid),
  netra.schedule_grant(uuid, uuid, text, text, bigint, smallint, text, timestamptz, text, int, int, text, int, bigint,
    text),
  netra.stop_grant_schedule(uuid, uuid, text)
  to netra_app, netra_system;
