-- not breaking: adds a table and functions; without a row in it everything is kept as before
-- How long analytics keeps what an organisation's calls were (usage, facts, logs, traces, metrics), by its plan. Dated as
-- netra.plan_retention is: the latest row that has begun is in force, null = for ever. No row = for ever too: people
-- bring years of calls along to be looked at, and none of them may go because nobody had decided.
create table netra.plan_usage_retention (
  plan_id    text not null,
  valid_from timestamptz not null,
  usage_days int check (usage_days > 0),
  changed_by text not null check (length(changed_by) between 1 and 200),
  changed_at timestamptz not null default now(),
  primary key (plan_id, valid_from)
);
grant select on netra.plan_usage_retention to netra_app, netra_system;
grant insert, update on netra.plan_usage_retention to netra_system;

-- For a schedule: the organisations whose plan limits it, after p_after, at most p_orgs of them.
create function netra.usage_retention(p_after uuid, p_orgs int) returns table (org_id uuid, usage_days int)
  language sql stable security definer set search_path = pg_catalog as $$
  select s.org_id, k.usage_days
    from netra.subscription s
    cross join lateral (
      select r.usage_days from netra.plan_usage_retention r
       where r.plan_id = s.plan_id and r.valid_from <= now() order by r.valid_from desc limit 1
    ) k
   where s.org_id > p_after and k.usage_days is not null
   order by s.org_id limit p_orgs
$$;

-- What an operator sets. A row that has begun is never changed: give a later moment, or none for now.
create function netra.set_usage_retention(p_by text, p_plan text, p_from timestamptz, p_days int) returns timestamptz
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_from timestamptz := coalesce(p_from, now());
begin
  if v_from < now() then
    perform netra.refuse('conflict', 'A retention cannot begin in the past.', jsonb_build_object('plan', p_plan));
  end if;
  if not exists (select from netra.plan p where p.plan_id = p_plan) then
    perform netra.refuse('not_found', format('There is no plan %L.', p_plan), jsonb_build_object('plan', p_plan));
  end if;
  insert into netra.plan_usage_retention (plan_id, valid_from, usage_days, changed_by)
  values (p_plan, v_from, p_days, p_by)
  on conflict (plan_id, valid_from) do update
    set usage_days = excluded.usage_days, changed_by = excluded.changed_by, changed_at = now()
    where plan_usage_retention.valid_from > now();
  return v_from;
end
$$;

do $$
declare
  v_function regprocedure;
begin
  grant create on schema netra to netra_system;
  foreach v_function in array array['netra.usage_retention(uuid, int)',
    'netra.set_usage_retention(text, text, timestamptz, int)']::regprocedure[] loop
    execute format('alter function %s owner to netra_system', v_function);
    execute format('revoke execute on function %s from public', v_function);
    execute format('grant execute on function %s to netra_app', v_function);
  end loop;
  revoke create on schema netra from netra_system;
end
$$;
