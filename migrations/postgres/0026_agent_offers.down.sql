-- breaking: agents that the installation brings are in no plan, unless a plan lists them
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

drop function netra.open_agent(text, bigint, text[], text);
drop function netra.offer_agent(text, text[], text);
drop function netra.offered_agents(text, text[]);
drop function netra.is_offered(text, text);
drop table netra.agent_offer;
-- The record of the books is never rewritten: what it says of offers stays, and so does the constraint that allows it.
