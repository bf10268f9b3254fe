-- not breaking: adds a table that only importers know
-- Whose turn it is to insert imported calls. An importer looks up which of its calls are there and inserts the others;
-- two of one organisation that do it at once would both find none.
create table netra.usage_turn (
  org_id    uuid primary key,
  import_id uuid not null,
  until     timestamptz not null
);
alter table netra.usage_turn enable row level security;
alter table netra.usage_turn force row level security;
create policy tenant on netra.usage_turn to netra_app
  using (org_id = netra.current_org()) with check (org_id = netra.current_org());
grant select, insert, update on netra.usage_turn to netra_app;

-- Takes or renews the turn; false while another import has it. With a lease of 0 it is given back.
create function netra.take_usage_turn(p_org uuid, p_import uuid, p_lease_ms int) returns boolean
  language plpgsql set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  insert into netra.usage_turn as t (org_id, import_id, until)
  values (p_org, p_import, clock_timestamp() + p_lease_ms * interval '1 ms')
  on conflict (org_id) do update set import_id = excluded.import_id, until = excluded.until
  where t.import_id = excluded.import_id or t.until <= clock_timestamp();
  return found;
end
$$;
grant execute on function netra.take_usage_turn(uuid, uuid, int) to netra_app;
