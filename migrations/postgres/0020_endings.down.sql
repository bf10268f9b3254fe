-- breaking: nodes charge without their lease again, and runs that wait for credits wait for a person's word
drop function netra.give_up_parked(uuid, uuid, bigint);
drop function netra.unanswered_runs(bigint, int);
drop function netra.resume_funded(uuid, uuid);
drop function netra.funded_runs(int);
drop function netra.can_pay(uuid, bigint);
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
drop function netra.needed_by(uuid, uuid, int, jsonb);
drop index netra.run_parked;
drop index netra.run_needs;
alter table netra.run drop column needs_micro;
drop function netra.charge_run(uuid, uuid, uuid, uuid, bigint, text, text, text, text);
drop function netra.grow_run(uuid, uuid, uuid, uuid, bigint, bigint, bigint, text);
drop function netra.keep_lease(uuid, uuid, uuid);
