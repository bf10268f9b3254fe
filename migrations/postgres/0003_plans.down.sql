-- breaking: removes plans, fees and subscriptions with all they hold
drop function netra.subscribe(uuid, uuid, text);
drop function netra.change_plan(uuid, text);
drop function netra.grant_upgrade(netra.subscription, netra.plan, netra.plan);
drop function netra.grant_period(uuid);
drop function netra.grant_period_once(netra.subscription, netra.plan);
drop function netra.plan_of(uuid);
drop function netra.plan_in_force(text, timestamptz);
drop function netra.period_start_of(timestamptz, int);
drop function netra.plan_that_pays(uuid, bigint);
drop function netra.plan_that_lifts(text, bigint, text);
drop function netra.agent_fee_of(text);
drop type netra.plan_terms;
drop table netra.subscription;
drop table netra.agent_fee;
drop table netra.plan;
revoke execute on function netra.current_org(), netra.enter_org(uuid), netra.refuse(text, text, jsonb)
  from netra_ledger;
revoke all on schema netra from netra_ledger;
-- The role stays while another database of the cluster uses it.
do $$
begin
  drop role netra_ledger;
exception when dependent_objects_still_exist or undefined_object or object_in_use then null;
end
$$;
