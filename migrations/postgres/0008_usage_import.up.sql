-- not breaking: remembers usage imports, so that the same key and file add nothing twice
create table netra.usage_import (
  org_id      uuid not null references netra.org,
  import_id   uuid not null,
  key         text not null check (length(key) between 1 and 255),
  -- SHA-256 of the file and of how it was to be read: the same key with another one is a conflict.
  hash        text not null,
  attempt     int not null default 1,
  -- Held by the process that inserts; null once the import is done or given up.
  lease_token uuid,
  lease_until timestamptz,
  result      jsonb,
  created_at  timestamptz not null default now(),
  done_at     timestamptz,
  primary key (org_id, import_id),
  unique (org_id, key)
);
alter table netra.usage_import enable row level security;
alter table netra.usage_import force row level security;
create policy tenant on netra.usage_import to netra_app
  using (org_id = netra.current_org()) with check (org_id = netra.current_org());
grant select, insert, update on netra.usage_import to netra_app;

-- Takes the import for this process. `done` = it was finished before, `result` says how; `new` or `resumed` = insert.
create function netra.begin_usage_import(
  p_org uuid, p_import uuid, p_key text, p_hash text, p_lease uuid, p_lease_ms int
) returns table (state text, attempt int, result jsonb)
  language plpgsql set search_path = pg_catalog as $$
declare
  found_import netra.usage_import;
  until timestamptz := clock_timestamp() + p_lease_ms * interval '1 ms';
begin
  perform netra.enter_org(p_org);
  insert into netra.usage_import (org_id, import_id, key, hash, lease_token, lease_until)
    values (p_org, p_import, p_key, p_hash, p_lease, until)
    on conflict do nothing;
  if found then
    return query select 'new', 1, null::jsonb;
    return;
  end if;
  select * into strict found_import from netra.usage_import i
    where i.org_id = p_org and i.import_id = p_import for update;
  if found_import.hash <> p_hash then
    perform netra.refuse('idempotency_key_reused', 'This import key was used with another file or other options');
  end if;
  if found_import.result is not null then
    return query select 'done', found_import.attempt, found_import.result;
    return;
  end if;
  if found_import.lease_until > clock_timestamp() then
    perform netra.refuse('conflict', 'An import with this key is under way; wait for it to end');
  end if;
  update netra.usage_import i
    set lease_token = p_lease, lease_until = until, attempt = i.attempt + 1
    where i.org_id = p_org and i.import_id = p_import;
  return query select 'resumed', found_import.attempt + 1, null::jsonb;
end
$$;
grant execute on function netra.begin_usage_import(uuid, uuid, text, text, uuid, int) to netra_app;

create function netra.renew_usage_import(p_org uuid, p_import uuid, p_lease uuid, p_lease_ms int) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  update netra.usage_import
    set lease_until = clock_timestamp() + p_lease_ms * interval '1 ms'
    where org_id = p_org and import_id = p_import and lease_token = p_lease;
  if not found then
    perform netra.refuse('fenced', 'Another process has taken this import over');
  end if;
end
$$;
grant execute on function netra.renew_usage_import(uuid, uuid, uuid, int) to netra_app;

create function netra.end_usage_import(p_org uuid, p_import uuid, p_lease uuid, p_result jsonb) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  update netra.usage_import
    set result = p_result, lease_token = null, lease_until = null,
      done_at = case when p_result is null then null else now() end
    where org_id = p_org and import_id = p_import and lease_token = p_lease;
  if not found then
    perform netra.refuse('fenced', 'Another process has taken this import over');
  end if;
end
$$;
grant execute on function netra.end_usage_import(uuid, uuid, uuid, jsonb) to netra_app;
