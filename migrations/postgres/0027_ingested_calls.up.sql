-- not breaking: takes in calls that other systems tell of while they happen
-- A sender that got no answer sends again: which calls came in lately is known here, so that each is kept once. Their
-- rows are on their way to ClickHouse by the outbox from the same transaction on, so an answered call is never lost.
create table netra.ingested_call (
  org_id   uuid not null,
  event_id uuid not null,
  seen_at  timestamptz not null default now(),
  primary key (org_id, event_id)
);
create index ingested_call_seen on netra.ingested_call (org_id, seen_at);
alter table netra.ingested_call enable row level security;
alter table netra.ingested_call force row level security;
create policy tenant on netra.ingested_call to netra_app
  using (org_id = netra.current_org()) with check (org_id = netra.current_org());
grant select, insert, delete on netra.ingested_call to netra_app;

-- Keeps those of these calls that are new, and says how many. `p_calls`: [{ event_id, row }]. Refuses with `unavailable`
-- while more than `p_waiting` rows of the organisation wait for ClickHouse: its senders hold theirs and try again.
create function netra.ingest_calls(p_org uuid, p_calls jsonb, p_waiting int) returns int
  language plpgsql set search_path = pg_catalog as $$
declare
  v_kept int;
begin
  perform netra.enter_org(p_org);
  if (select count(*) > p_waiting from (select 1 from netra.outbox where org_id = p_org limit p_waiting + 1) o) then
    perform netra.refuse('unavailable', 'Too many calls wait to be stored; send again later', '{"retry_after_ms": 5000}');
  end if;
  -- A little at each request, so that no request pays for many: a sender gives up long before a week.
  delete from netra.ingested_call i using (
    select event_id from netra.ingested_call
    where org_id = p_org and seen_at < now() - interval '7 days' limit 2000
  ) old where i.org_id = p_org and i.event_id = old.event_id;
  with told as (
    select distinct on (event_id) (c ->> 'event_id')::uuid as event_id, c -> 'row' as row
    from jsonb_array_elements(p_calls) c order by event_id
  ), fresh as (
    insert into netra.ingested_call (org_id, event_id)
    select p_org, t.event_id from told t order by t.event_id
    on conflict do nothing returning event_id
  ), sent as (
    insert into netra.outbox (org_id, event_id, kind, payload)
    select p_org, t.event_id, 'call', t.row from told t join fresh f using (event_id)
    returning 1
  )
  select count(*) into v_kept from sent;
  return v_kept;
end
$$;
grant execute on function netra.ingest_calls(uuid, jsonb, int) to netra_app;
