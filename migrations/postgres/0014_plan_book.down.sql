-- breaking: forgets charges, cancellations, scheduled grants, own prices and the editor's record
drop function netra.stop_grant_schedule(uuid, uuid, text);
drop function netra.schedule_grant(uuid, uuid, text, text, bigint, smallint, text, timestamptz, text, int, int, text,
  int, bigint, text);
drop function netra.reactivate_subscription(uuid);
drop function netra.cancel_subscription(uuid, text);
drop function netra.read_subscription(uuid);
create or replace function netra.grant_upgrade(p_sub netra.subscription, p_old netra.plan, p_new netra.plan) returns bigint
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
create or replace function netra.change_plan(p_org uuid, p_plan text)
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
    exit when v_terms.period_end > now() or v_pass = 2;
    perform netra.grant_period(p_org);
  end loop;
  return v_terms;
end
$$;
create or replace function netra.grant_period(p_org uuid) returns bigint
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
create or replace function netra.plan_that_lifts(p_limit text, p_need bigint, p_name text default null) returns text
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
create or replace function netra.orgs_due(p_limit int) returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
  (select s.org_id from netra.subscription s where s.ended_at is null and s.period_end <= now() limit p_limit)
  union
  (select g.org_id from netra.credit_grant g
    where g.live and g.expires_at <= now() and g.expires_at < 'infinity' and g.remaining_micro > 0 limit p_limit)
  limit p_limit
$$;
drop function netra.give_scheduled(uuid);
drop function netra.cap_rollover(uuid, uuid, bigint, text);
drop function netra.occurrence_end(netra.grant_schedule, int);
drop function netra.occurrence_at(netra.grant_schedule, int);
drop function netra.step_from(timestamptz, text, int);
drop function netra.roll_periods(netra.subscription);
drop function netra.tell_subscription(netra.subscription, text, text);
drop function netra.charge_upgrade(netra.subscription, netra.plan, netra.plan);
drop function netra.charge_period(netra.subscription, netra.plan);
drop function netra.seconds_left(netra.subscription);
drop function netra.plan_on_sale(text, timestamptz);
drop function netra.change_book(text, bigint, jsonb);
drop function netra.write_own_price(jsonb, timestamptz, timestamptz);
drop table netra.scheduled_grant;
drop table netra.grant_schedule;
drop table netra.subscription_charge;
drop table netra.own_price;
drop function netra.price_moment(timestamptz);
drop table netra.book_change;
alter table netra.subscription
  drop column plan_ended_at,
  drop column ended_plan_id,
  drop column cancelled_at,
  drop column version;
alter table netra.plan drop column on_sale;
revoke insert, update on netra.plan, netra.agent_fee from netra_ledger;

-- Books with a price that begins within a day cannot be kept as they were: a version is the hash of its prices.
with beyond as (
  select distinct p.book_version from netra.price p where p.valid_from <> date_trunc('day', p.valid_from, 'UTC')
), gone as (
  delete from netra.price p using beyond b where p.book_version = b.book_version returning p.book_version
)
select count(*) from gone;
delete from netra.price_book b where not exists (select from netra.price p where p.book_version = b.book_version);
alter table netra.price alter column valid_from type date using (valid_from at time zone 'UTC')::date;
create or replace function netra.keep_price_book(p_version text, p_prices jsonb) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into netra.price_book (book_version) values (p_version) on conflict do nothing;
  if not found then return false; end if;
  insert into netra.price (book_version, provider, model, kind, valid_from, above_tokens, usd_mtok)
  select p_version, r.provider, r.model, r.kind, r.valid_from, r.above_tokens, r.usd_mtok
    from jsonb_to_recordset(p_prices) as r (provider text, model text, kind text, valid_from date, above_tokens bigint,
                                            usd_mtok numeric);
  return true;
end
$$;
