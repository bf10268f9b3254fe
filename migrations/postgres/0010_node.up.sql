-- not breaking: adds what nodes publish about their configuration
-- Hashes only (server/platform/config-hash.ts), of the installation, not of a tenant: no organisation, no policy.
create table netra.node (
  node_id    text primary key check (length(node_id) between 1 and 200),
  env        text not null,
  hashes     jsonb not null,
  started_at timestamptz not null default now(),
  seen_at    timestamptz not null default now()
);
grant select, insert, update, delete on netra.node to netra_app;
