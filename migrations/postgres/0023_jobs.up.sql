-- breaking: the schedules of the installation move to a table of ours; nodes of the version before do without theirs
-- A due time is taken under a lease, like a run: the node that dies gives it up in seconds
-- (docs/decisions/0023-schedules-are-leases.md). The installation's, not a tenant's: no organisation, no policy.
create table netra.job (
  name        text primary key check (length(name) between 1 and 64),
  next_at     timestamptz not null,
  lease_node  text,
  lease_token bigint not null default 0,
  lease_until timestamptz not null default '-infinity',
  -- Failures since it last went well.
  failures    int not null default 0 check (failures >= 0),
  last_error  text,
  -- When it last went well, and how long that took.
  done_at     timestamptz,
  done_ms     bigint
) with (fillfactor = 50);
grant select, insert, update on netra.job to netra_app;

drop schema netra_jobs cascade;
