-- not breaking: creates the schema of users, sessions, organisations' members and keys, and the role that reaches it
-- The tables are better-auth's (core, organization, jwt, api-key), made by us so that they are numbered, reversible and
-- typed as the rest is. netra_app has no right here: what runs agents cannot read a password hash or a signing key.
do $$
begin
  create role netra_auth nologin nosuperuser nobypassrls noinherit;
exception when duplicate_object or unique_violation then null;
end
$$;

create schema auth;
grant usage on schema auth to netra_auth;

create table auth.user (
  id             uuid primary key,
  name           text not null,
  email          text not null unique check (email = lower(email)),
  email_verified boolean not null default false,
  image          text,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now()
);

create table auth.account (
  id                       uuid primary key,
  account_id               text not null,
  provider_id              text not null,
  user_id                  uuid not null references auth.user on delete cascade,
  access_token             text,
  refresh_token            text,
  id_token                 text,
  access_token_expires_at  timestamptz,
  refresh_token_expires_at timestamptz,
  scope                    text,
  password                 text,
  created_at               timestamptz not null default now(),
  updated_at               timestamptz not null default now(),
  unique (provider_id, account_id)
);
create index account_user on auth.account (user_id);

create table auth.verification (
  id         uuid primary key,
  identifier text not null,
  value      text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index verification_identifier on auth.verification (identifier);

-- id is the org_id of everything in schema netra. provisioned_at is set once netra.org and the subscription on
-- `plan` exist; until then each sign-in completes them, so that a crash in between blocks nobody.
create table auth.organization (
  id             uuid primary key,
  name           text not null check (length(name) between 1 and 200),
  slug           text not null unique,
  logo           text,
  metadata       text,
  plan           text not null,
  provisioned_at timestamptz,
  created_at     timestamptz not null default now()
);

create table auth.member (
  id              uuid primary key,
  organization_id uuid not null references auth.organization on delete cascade,
  user_id         uuid not null references auth.user on delete cascade,
  role            text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at      timestamptz not null default now(),
  unique (organization_id, user_id)
);
create index member_user on auth.member (user_id);

create table auth.invitation (
  id              uuid primary key,
  organization_id uuid not null references auth.organization on delete cascade,
  email           text not null check (email = lower(email)),
  role            text not null check (role in ('admin', 'member', 'viewer')),
  status          text not null check (status in ('pending', 'accepted', 'rejected', 'canceled')),
  inviter_id      uuid not null references auth.user on delete cascade,
  expires_at      timestamptz not null,
  created_at      timestamptz not null default now()
);
create index invitation_organization on auth.invitation (organization_id);
-- A second invitation of the same address replaces the first: one that is open at a time.
create unique index invitation_open on auth.invitation (organization_id, email) where status = 'pending';

create table auth.session (
  id                     uuid primary key,
  token                  text not null unique,
  user_id                uuid not null references auth.user on delete cascade,
  active_organization_id uuid references auth.organization on delete set null,
  expires_at             timestamptz not null,
  ip_address             text,
  user_agent             text,
  created_at             timestamptz not null default now(),
  updated_at             timestamptz not null default now()
);
create index session_user_id on auth.session (user_id);
create index session_expires on auth.session (expires_at);

-- private_key is encrypted with the installation's secret; id is the `kid` of tokens.
create table auth.jwks (
  id          uuid primary key,
  public_key  text not null,
  private_key text not null,
  alg         text,
  crv         text,
  created_at  timestamptz not null,
  expires_at  timestamptz
);

-- key is the SHA-256 of the key, base64url: the key itself is shown once and kept nowhere.
create table auth.apikey (
  id                     uuid primary key,
  config_id              text not null default 'default',
  name                   text,
  start                  text,
  prefix                 text,
  key                    text not null unique,
  reference_id           uuid not null references auth.organization on delete cascade,
  refill_interval        integer,
  refill_amount          integer,
  last_refill_at         timestamptz,
  enabled                boolean not null default true,
  rate_limit_enabled     boolean not null default false,
  rate_limit_time_window integer,
  rate_limit_max         integer,
  request_count          integer not null default 0,
  remaining              integer,
  last_request           timestamptz,
  expires_at             timestamptz,
  created_at             timestamptz not null default now(),
  updated_at             timestamptz not null default now(),
  permissions            text,
  metadata               text
);
create index apikey_reference on auth.apikey (reference_id);
-- A key is shown once, so a repeated request must not make a second one.
create unique index apikey_idempotency on auth.apikey (reference_id, (metadata::jsonb->>'idempotency_key'));

grant select, insert, update, delete on all tables in schema auth to netra_auth;
