drop table netra.job;

-- As migration 0006 left it: graphile-worker fills it at its first start.
create schema netra_jobs authorization netra_app;
create table netra_jobs.migrations (
  id       int primary key,
  ts       timestamptz not null default now(),
  breaking boolean not null default false
);
alter table netra_jobs.migrations owner to netra_app;
