-- not breaking: adds the outbox, and the schema that background jobs live in
-- What other systems must hear of is written here in the transaction that makes it true, and leaves in batches. A batch
-- keeps its id and its rows until it is cleared, so a sender that died is repeated exactly, and the receiver's
-- deduplication token (the batch id) makes that harmless: exactly once, without a transaction over both.
create table netra.outbox (
  org_id   uuid not null,
  event_id uuid not null,
  kind     text not null,
  at       timestamptz not null default now(),
  payload  jsonb not null,
  batch_id uuid,
  primary key (org_id, event_id)
) with (autovacuum_vacuum_scale_factor = 0.02);
create index outbox_new on netra.outbox (at) where batch_id is null;
create index outbox_taken on netra.outbox (batch_id) where batch_id is not null;

create table netra.outbox_batch (
  batch_id    uuid primary key,
  taken_until timestamptz not null
);

alter table netra.outbox enable row level security;
alter table netra.outbox force row level security;
create policy tenant on netra.outbox to netra_app
  using (org_id = netra.current_org()) with check (org_id = netra.current_org());
create policy system on netra.outbox to netra_system using (true) with check (true);
grant select, insert on netra.outbox to netra_app;
grant select, update, delete on netra.outbox to netra_system;
grant select, insert, update, delete on netra.outbox_batch to netra_system;

-- A batch to send: one that its sender left behind, else up to p_limit new rows under the id p_batch. No rows = nothing
-- to do. All rows of one kind, since each kind has a receiver of its own.
create function netra.take_outbox(p_batch uuid, p_limit int, p_lease_ms int)
  returns table (batch_id uuid, org_id uuid, event_id uuid, kind text, at timestamptz, payload jsonb)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_batch uuid;
begin
  update netra.outbox_batch b set taken_until = now() + p_lease_ms * interval '1 millisecond'
  where b.batch_id = (
    select o.batch_id from netra.outbox_batch o where o.taken_until < now()
    order by o.taken_until limit 1 for update skip locked
  ) returning b.batch_id into v_batch;
  if not found then
    with first as (
      select o.kind from netra.outbox o where o.batch_id is null order by o.at limit 1
    ), chosen as (
      select o.org_id, o.event_id from netra.outbox o join first f on f.kind = o.kind
      where o.batch_id is null order by o.at limit p_limit for update of o skip locked
    )
    update netra.outbox o set batch_id = p_batch from chosen c
    where o.org_id = c.org_id and o.event_id = c.event_id;
    if not found then
      return;
    end if;
    insert into netra.outbox_batch (batch_id, taken_until)
    values (p_batch, now() + p_lease_ms * interval '1 millisecond');
    v_batch := p_batch;
  end if;
  return query
    select o.batch_id, o.org_id, o.event_id, o.kind, o.at, o.payload from netra.outbox o
    where o.batch_id = v_batch order by o.org_id, o.event_id;
end
$$;

-- The batch has arrived. Returns how many rows it had.
create function netra.clear_outbox(p_batch uuid) returns int
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_rows int;
begin
  delete from netra.outbox o where o.batch_id = p_batch;
  get diagnostics v_rows = row_count;
  delete from netra.outbox_batch b where b.batch_id = p_batch;
  return v_rows;
end
$$;

-- Rows that have not arrived, and the age of the oldest: a metric, and an alert when it grows.
create function netra.outbox_backlog() returns table (waiting bigint, oldest_at timestamptz)
  language sql stable security definer set search_path = pg_catalog
  as $$ select count(*), min(o.at) from netra.outbox o $$;

grant create on schema netra to netra_system;
alter function netra.take_outbox(uuid, int, int) owner to netra_system;
alter function netra.clear_outbox(uuid) owner to netra_system;
alter function netra.outbox_backlog() owner to netra_system;
revoke create on schema netra from netra_system;
grant execute on function netra.take_outbox(uuid, int, int), netra.clear_outbox(uuid), netra.outbox_backlog()
  to netra_app;

-- graphile-worker makes and migrates its own tables in a schema that the application owns: they hold no tenant's data,
-- and the server then needs no other login. It asks this table first which of its migrations have run; finding it, it
-- does not try `create schema`, for which netra_app has no right.
do $$
begin
  if not pg_has_role(current_user, 'netra_app', 'member') then
    grant netra_app to current_user;
  end if;
end
$$;
create schema netra_jobs authorization netra_app;
create table netra_jobs.migrations (
  id       int primary key,
  ts       timestamptz not null default now(),
  breaking boolean not null default false
);
alter table netra_jobs.migrations owner to netra_app;
