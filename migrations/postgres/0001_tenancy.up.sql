-- not breaking: creates the schema, its roles and the tenant's root row
-- T1: the application logs in as netra_app, which owns nothing and sees a row only if its org_id is the tenant that
-- the current transaction has entered. No tenant entered = no rows.
do $$
declare
  role_name text;
begin
  -- Roles belong to the whole cluster: another database of the same cluster may have made them, even at this moment.
  foreach role_name in array array['netra_app', 'netra_log', 'netra_system'] loop
    begin
      execute format('create role %I nologin nosuperuser nobypassrls noinherit', role_name);
    exception when duplicate_object or unique_violation then null;
    end;
  end loop;
end
$$;

create schema netra;
grant usage on schema netra to netra_app, netra_log, netra_system;
-- A function is callable by whom it is granted to, never by everyone. For all schemas of this role in this database:
-- PostgreSQL ignores a revoke of what is granted globally when it names a schema.
alter default privileges revoke execute on functions from public;

create function netra.current_org() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('netra.org_id', true), '')::uuid;
grant execute on function netra.current_org() to netra_app, netra_log, netra_system;

-- Enters the tenant for the rest of the transaction; is_local = true, so no pooler can leak it to the next one.
create function netra.enter_org(p_org uuid) returns void
  language sql
  begin atomic
    select set_config('netra.org_id', p_org::text, true);
  end;
grant execute on function netra.enter_org(uuid) to netra_app, netra_log, netra_system;

-- Every refusal on purpose: SQLSTATE NT000, message = a code of the error catalogue, detail = JSON with `message`.
create function netra.refuse(p_code text, p_message text, p_detail jsonb default '{}') returns void
  language plpgsql as $$
begin
  raise exception using errcode = 'NT000', message = p_code,
    detail = (p_detail || jsonb_build_object('message', p_message))::text;
end
$$;
grant execute on function netra.refuse(text, text, jsonb) to netra_app, netra_log, netra_system;

create table netra.org (
  org_id     uuid primary key,
  name       text not null check (length(name) between 1 and 200),
  created_at timestamptz not null default now()
);
alter table netra.org enable row level security;
alter table netra.org force row level security;
create policy tenant on netra.org to netra_app
  using (org_id = netra.current_org()) with check (org_id = netra.current_org());
create policy system on netra.org for select to netra_system using (true);
grant select, insert, update on netra.org to netra_app;
grant select on netra.org to netra_system;
