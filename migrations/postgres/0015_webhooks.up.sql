-- not breaking: adds webhooks (endpoints, events, deliveries) and the notices of thresholds
-- What an organisation's own systems must hear of is written in the transaction that makes it true: one event, and one
-- delivery for each endpoint that asked for its type. Senders take deliveries from there, on any node.
create table netra.webhook_endpoint (
  org_id          uuid not null references netra.org (org_id),
  endpoint_id     uuid not null,
  url             text not null check (length(url) between 1 and 2048),
  description     text not null default '' check (length(description) <= 200),
  -- Null = every type.
  types           text[] check (cardinality(types) between 1 and 50),
  -- Encrypted with the installation's secret (server/platform/seal.ts).
  sealed_secret   text not null,
  -- The one before, which signs too until then: receivers change over without losing a message.
  sealed_previous text,
  previous_until  timestamptz,
  rotated_at      timestamptz not null default now(),
  -- The Idempotency-Keys of the creation and of the last rotation.
  created_key     text not null check (length(created_key) between 1 and 255),
  rotated_key     text,
  state           text not null default 'enabled' check (state in ('enabled', 'disabled')),
  disabled_reason text check (disabled_reason in ('gone', 'failing')),
  disabled_at     timestamptz,
  -- The first failure since the last success.
  failing_since   timestamptz,
  created_by      text not null,
  created_at      timestamptz not null default now(),
  -- One sender at a time: an endpoint gets its messages one after the other, and a slow one takes one place of many.
  lease_token     uuid,
  lease_until     timestamptz,
  primary key (org_id, endpoint_id),
  unique (org_id, created_key),
  check ((state = 'disabled') = (disabled_reason is not null) and (state = 'disabled') = (disabled_at is not null))
) with (fillfactor = 70);

create table netra.webhook_event (
  org_id   uuid not null,
  type     text not null check (type ~ '^[a-z]+\.[a-z_]+$'),
  -- What happened, once: a second emission under the same key writes nothing.
  key      text not null check (length(key) between 1 and 400),
  event_id uuid not null,
  -- Events of one transaction have one time; this is their order.
  ordinal  bigint not null generated always as identity,
  data     jsonb not null,
  at       timestamptz not null default now(),
  primary key (org_id, type, key),
  unique (org_id, event_id)
);
create index webhook_event_at on netra.webhook_event (at);

create table netra.webhook_delivery (
  org_id      uuid not null,
  endpoint_id uuid not null,
  event_id    uuid not null,
  ordinal     bigint not null,
  state       text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
  -- Since the last time that somebody asked for it to be sent.
  attempts    int not null default 0 check (attempts >= 0),
  next_at     timestamptz not null default now(),
  ended_at    timestamptz,
  -- What the last attempt met.
  status      int,
  error       text check (length(error) <= 300),
  response    text check (length(response) <= 300),
  primary key (org_id, endpoint_id, event_id),
  foreign key (org_id, endpoint_id) references netra.webhook_endpoint (org_id, endpoint_id) on delete cascade,
  foreign key (org_id, event_id) references netra.webhook_event (org_id, event_id) on delete cascade,
  check ((state = 'waiting') = (ended_at is null))
) with (fillfactor = 70);
create index webhook_delivery_due on netra.webhook_delivery (next_at) where state = 'waiting';
create index webhook_delivery_ended on netra.webhook_delivery (ended_at) where state <> 'waiting';
create index webhook_delivery_list on netra.webhook_delivery (org_id, endpoint_id, ordinal);
create index webhook_delivery_event on netra.webhook_delivery (org_id, event_id);

-- Which thresholds of a period have been told: the key is the "exactly once".
create table netra.threshold_notice (
  org_id       uuid not null,
  period_start timestamptz not null,
  -- plan, overage, total, or member/<user>
  subject      text not null,
  threshold    smallint not null check (threshold in (50, 80, 100)),
  used_micro   bigint not null,
  of_micro     bigint not null,
  at           timestamptz not null default now(),
  primary key (org_id, period_start, subject, threshold)
);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['webhook_endpoint', 'webhook_event', 'webhook_delivery', 'threshold_notice'] loop
    execute format('alter table netra.%I enable row level security', v_table);
    execute format('alter table netra.%I force row level security', v_table);
    execute format('create policy tenant on netra.%I to netra_app, netra_ledger using (org_id = netra.current_org()) '
                   'with check (org_id = netra.current_org())', v_table);
    execute format('create policy system on netra.%I to netra_system using (true) with check (true)', v_table);
  end loop;
end
$$;
grant select, insert, update, delete on netra.webhook_endpoint to netra_app;
grant select, insert, update on netra.webhook_delivery to netra_app;
grant select, insert on netra.webhook_event to netra_app;
grant select on netra.threshold_notice to netra_app, netra_system;
grant select, update on netra.webhook_endpoint to netra_system;
grant select, delete on netra.webhook_event, netra.webhook_delivery to netra_system;
grant select on netra.webhook_endpoint to netra_ledger;
grant select, insert on netra.webhook_event, netra.webhook_delivery, netra.threshold_notice to netra_ledger;

-- Says what happened, in the caller's transaction, once for each (type, key). An endpoint that is disabled gets a
-- delivery that has failed, so that its owner sees what was missed and can have it sent.
create function netra.emit_webhook(p_org uuid, p_type text, p_key text, p_data jsonb) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_event netra.webhook_event;
begin
  perform netra.enter_org(p_org);
  insert into netra.webhook_event (org_id, type, key, event_id, data)
  values (p_org, p_type, p_key, gen_random_uuid(), p_data)
  on conflict do nothing returning * into v_event;
  if not found then return; end if;
  insert into netra.webhook_delivery (org_id, endpoint_id, event_id, ordinal, state, ended_at, error)
  select p_org, e.endpoint_id, v_event.event_id, v_event.ordinal,
         case e.state when 'enabled' then 'waiting' else 'failed' end,
         case e.state when 'disabled' then now() end,
         case e.state when 'disabled' then 'The endpoint was disabled.' end
    from netra.webhook_endpoint e
   where e.org_id = p_org and (e.types is null or p_type = any (e.types));
end
$$;

-- Registers an endpoint. The same key and request again answers what is there; `known` says so.
create function netra.create_webhook(p_org uuid, p_endpoint uuid, p_url text, p_description text, p_types text[],
    p_sealed text, p_by text, p_key text, p_max int, out endpoint netra.webhook_endpoint, out known boolean)
  language plpgsql as $$
begin
  perform netra.enter_org(p_org);
  -- One at a time in an organisation, so that none overtakes the count.
  perform pg_advisory_xact_lock(1937, hashtext(p_org::text));
  select * into endpoint from netra.webhook_endpoint e where e.org_id = p_org and e.created_key = p_key;
  known := found;
  if known then
    if (endpoint.url, endpoint.description, endpoint.types) is distinct from (p_url, p_description, p_types) then
      perform netra.refuse('idempotency_key_reused', 'This key was used for another endpoint.',
        jsonb_build_object('webhook', endpoint.endpoint_id));
    end if;
    return;
  end if;
  if (select count(*) from netra.webhook_endpoint e where e.org_id = p_org) >= p_max then
    perform netra.refuse('conflict', format('An organisation has at most %s webhooks; delete one.', p_max),
      jsonb_build_object('limit', 'webhooks', 'max', p_max::text));
  end if;
  insert into netra.webhook_endpoint (org_id, endpoint_id, url, description, types, sealed_secret, created_by, created_key)
  values (p_org, p_endpoint, p_url, p_description, p_types, p_sealed, p_by, p_key) returning * into endpoint;
end
$$;

-- A new secret; the one before signs beside it for p_overlap_ms. The same key again changes nothing.
create function netra.rotate_webhook(p_org uuid, p_endpoint uuid, p_sealed text, p_key text, p_overlap_ms int,
    out endpoint netra.webhook_endpoint, out known boolean)
  language plpgsql as $$
begin
  perform netra.enter_org(p_org);
  select * into endpoint from netra.webhook_endpoint e where e.org_id = p_org and e.endpoint_id = p_endpoint
     for no key update;
  if not found then perform netra.refuse('not_found', 'There is no such webhook.'); end if;
  known := endpoint.rotated_key is not distinct from p_key;
  if known then return; end if;
  update netra.webhook_endpoint e
     set sealed_secret = p_sealed, sealed_previous = e.sealed_secret,
         previous_until = now() + p_overlap_ms * interval '1 millisecond', rotated_key = p_key, rotated_at = now()
   where e.org_id = p_org and e.endpoint_id = p_endpoint returning * into endpoint;
end
$$;

-- Up to p_limit endpoints that have something due and no sender, each with the oldest of it. Whoever holds the lease
-- sends; a sender that died is followed by another once the lease is over.
create function netra.claim_deliveries(p_token uuid, p_limit int, p_lease_ms int)
  returns table (org_id uuid, endpoint_id uuid, url text, sealed_secret text, sealed_previous text, event_id uuid,
                 type text, at timestamptz, data jsonb, attempts int)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query
  with due as (
    select d.org_id, d.endpoint_id, min(d.next_at) as next_at from netra.webhook_delivery d
     where d.state = 'waiting' and d.next_at <= now() group by 1, 2
  ), free as (
    select e.org_id, e.endpoint_id
      from due d join netra.webhook_endpoint e using (org_id, endpoint_id)
     where e.state = 'enabled' and (e.lease_until is null or e.lease_until < now())
     order by d.next_at limit p_limit for no key update of e skip locked
  ), taken as (
    update netra.webhook_endpoint e
       set lease_token = p_token, lease_until = now() + p_lease_ms * interval '1 millisecond'
      from free f where e.org_id = f.org_id and e.endpoint_id = f.endpoint_id returning e.*
  )
  select t.org_id, t.endpoint_id, t.url, t.sealed_secret,
         case when t.previous_until > now() then t.sealed_previous end, v.event_id, v.type, v.at, v.data, d.attempts
    from taken t
   cross join lateral (
     select n.event_id, n.attempts from netra.webhook_delivery n
      where n.org_id = t.org_id and n.endpoint_id = t.endpoint_id and n.state = 'waiting' and n.next_at <= now()
      order by n.ordinal limit 1) d
    join netra.webhook_event v on v.org_id = t.org_id and v.event_id = d.event_id;
end
$$;

-- Disables an endpoint. What waits for it has failed; the organisation's other endpoints hear of it.
create function netra.disable_webhook(p_org uuid, p_endpoint uuid, p_reason text) returns void
  language plpgsql as $$
declare
  v_url text;
begin
  update netra.webhook_endpoint e set state = 'disabled', disabled_reason = p_reason, disabled_at = now()
   where e.org_id = p_org and e.endpoint_id = p_endpoint and e.state = 'enabled' returning e.url into v_url;
  if not found then return; end if;
  update netra.webhook_delivery d
     set state = 'failed', ended_at = now(), error = coalesce(d.error, 'The endpoint was disabled.')
   where d.org_id = p_org and d.endpoint_id = p_endpoint and d.state = 'waiting';
  perform netra.emit_webhook(p_org, 'webhook.disabled', p_endpoint || '/' || extract(epoch from now()),
    jsonb_build_object('webhook', p_endpoint, 'url', v_url, 'reason', p_reason));
end
$$;

-- What an attempt met. 'delivered'; 'retry' after p_wait_ms; 'failed' for good; 'gone' (410) disables the endpoint, as
-- does failing for p_patience_ms without one success. A success always counts; a failure only from who has the lease.
create function netra.record_delivery(p_org uuid, p_endpoint uuid, p_event uuid, p_token uuid, p_outcome text,
    p_status int, p_error text, p_response text, p_wait_ms bigint, p_patience_ms bigint, out disabled boolean)
  language plpgsql as $$
declare
  v_endpoint netra.webhook_endpoint;
begin
  perform netra.enter_org(p_org);
  disabled := false;
  select * into v_endpoint from netra.webhook_endpoint e where e.org_id = p_org and e.endpoint_id = p_endpoint
     for no key update;
  if not found or (v_endpoint.lease_token is distinct from p_token and p_outcome <> 'delivered') then return; end if;
  update netra.webhook_delivery d
     set attempts = d.attempts + 1, status = p_status, error = p_error, response = p_response,
         state = case p_outcome when 'delivered' then 'delivered' when 'retry' then 'waiting' else 'failed' end,
         ended_at = case when p_outcome <> 'retry' then now() end,
         next_at = case when p_outcome = 'retry' then now() + p_wait_ms * interval '1 millisecond' else d.next_at end
   where d.org_id = p_org and d.endpoint_id = p_endpoint and d.event_id = p_event and d.state = 'waiting';
  update netra.webhook_endpoint e
     set failing_since = case when p_outcome <> 'delivered' then coalesce(e.failing_since, now()) end,
         lease_token = nullif(e.lease_token, p_token),
         lease_until = case when e.lease_token = p_token then null else e.lease_until end
   where e.org_id = p_org and e.endpoint_id = p_endpoint;
  if p_outcome = 'gone' then
    perform netra.disable_webhook(p_org, p_endpoint, 'gone');
  elsif p_outcome <> 'delivered' and v_endpoint.failing_since < now() - p_patience_ms * interval '1 millisecond' then
    perform netra.disable_webhook(p_org, p_endpoint, 'failing');
  end if;
  disabled := p_outcome <> 'delivered' and v_endpoint.state = 'enabled' and exists (
    select from netra.webhook_endpoint e
     where e.org_id = p_org and e.endpoint_id = p_endpoint and e.state = 'disabled');
end
$$;

-- Sends a message of its own to one endpoint, whatever types it asked for. The same key again writes nothing.
create function netra.test_webhook(p_org uuid, p_endpoint uuid, p_key text, p_max int) returns uuid
  language plpgsql as $$
declare
  v_event netra.webhook_event;
  v_key text := p_endpoint || '/' || p_key;
begin
  perform netra.ready_webhook(p_org, p_endpoint);
  select * into v_event from netra.webhook_event v
   where v.org_id = p_org and v.type = 'webhook.test' and v.key = v_key;
  if found then return v_event.event_id; end if;
  perform netra.room_webhook(p_org, p_endpoint, p_max);
  insert into netra.webhook_event (org_id, type, key, event_id, data)
  values (p_org, 'webhook.test', v_key, gen_random_uuid(), jsonb_build_object('webhook', p_endpoint))
  returning * into v_event;
  insert into netra.webhook_delivery (org_id, endpoint_id, event_id, ordinal)
  values (p_org, p_endpoint, v_event.event_id, v_event.ordinal);
  return v_event.event_id;
end
$$;

-- Has a message sent again, from the first attempt on, under the id that it always had. One that waits is sent soon.
create function netra.resend_delivery(p_org uuid, p_endpoint uuid, p_event uuid, p_max int) returns void
  language plpgsql as $$
begin
  perform netra.ready_webhook(p_org, p_endpoint);
  perform netra.room_webhook(p_org, p_endpoint, p_max);
  update netra.webhook_delivery d set state = 'waiting', ended_at = null, attempts = 0, next_at = now()
   where d.org_id = p_org and d.endpoint_id = p_endpoint and d.event_id = p_event;
  if not found then perform netra.refuse('not_found', 'There is no such delivery.'); end if;
end
$$;

-- Enters the organisation and locks the endpoint; refuses one that is not there or is disabled.
create function netra.ready_webhook(p_org uuid, p_endpoint uuid) returns void
  language plpgsql as $$
declare
  v_state text;
begin
  perform netra.enter_org(p_org);
  select e.state into v_state from netra.webhook_endpoint e where e.org_id = p_org and e.endpoint_id = p_endpoint
     for no key update;
  if not found then perform netra.refuse('not_found', 'There is no such webhook.'); end if;
  if v_state = 'disabled' then
    perform netra.refuse('conflict', 'This webhook is disabled; enable it first.',
      jsonb_build_object('webhook', p_endpoint));
  end if;
end
$$;

create function netra.room_webhook(p_org uuid, p_endpoint uuid, p_max int) returns void
  language plpgsql as $$
begin
  if (select count(*) from netra.webhook_delivery d
       where d.org_id = p_org and d.endpoint_id = p_endpoint and d.state = 'waiting') >= p_max then
    perform netra.refuse('rate_limited', 'This webhook has too many deliveries waiting.',
      jsonb_build_object('limit', 'deliveries_waiting', 'max', p_max::text));
  end if;
end
$$;

-- For a schedule: deletes up to p_limit deliveries that ended, and as many events that nothing needs any more.
create function netra.forget_deliveries(p_delivery_days int, p_event_days int, p_limit int) returns int
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_rows int;
  v_more int;
begin
  delete from netra.webhook_delivery d using (
    select o.org_id, o.endpoint_id, o.event_id from netra.webhook_delivery o
     where o.state <> 'waiting' and o.ended_at < now() - make_interval(days => p_delivery_days)
     order by o.ended_at limit p_limit for update skip locked) old
   where d.org_id = old.org_id and d.endpoint_id = old.endpoint_id and d.event_id = old.event_id;
  get diagnostics v_rows = row_count;
  delete from netra.webhook_event v using (
    select o.org_id, o.event_id from netra.webhook_event o
     where o.at < now() - make_interval(days => p_event_days)
       and not exists (select from netra.webhook_delivery d where d.org_id = o.org_id and d.event_id = o.event_id)
     order by o.at limit p_limit) old
   where v.org_id = old.org_id and v.event_id = old.event_id;
  get diagnostics v_more = row_count;
  return v_rows + v_more;
end
$$;

-- What is measured against its bound, in the period that runs; and in the one that ended within ten minutes, so that
-- what was charged at its very end is told too. The plan's credits count when they are spent; caps count what they
-- refuse by, which is spent or held.
create function netra.threshold_uses(p_org uuid)
  returns table (subject text, used_micro bigint, of_micro bigint, period_start timestamptz, period_end timestamptz)
  language plpgsql stable as $$
begin
  return query
  with period as (
    select s.subscription_id, s.period_start, s.period_end from netra.subscription s
     where s.org_id = p_org and (s.ended_at is null or s.ended_at > now() - interval '10 minutes')
    union all
    select s.subscription_id, netra.period_start_of(s.anchor_at, s.period_index - 1), s.period_start
      from netra.subscription s
     where s.org_id = p_org and s.ended_at is null and s.period_index > 0
       and s.period_start > now() - interval '10 minutes'
  ), cap as (
    select c.overage_micro, c.total_micro, c.member_micro from netra.spending_cap_of(p_org) c
  )
  select 'plan', sum(g.spent_micro)::bigint, sum(g.granted_micro - g.moved_micro)::bigint, p.period_start, p.period_end
    from period p
    join netra.credit_grant g on g.org_id = p_org and g.source in ('plan', 'upgrade')
     and g.subscription_id = p.subscription_id and g.period_start = p.period_start
   group by p.period_start, p.period_end
  union all
  select 'overage', sum(g.spent_micro + g.held_micro)::bigint, c.overage_micro, p.period_start, p.period_end
    from period p cross join cap c
    join netra.credit_grant g on g.org_id = p_org and g.source = 'overage' and g.period_start = p.period_start
   where c.overage_micro is not null
   group by c.overage_micro, p.period_start, p.period_end
  union all
  select case u.user_id when '' then 'total' else 'member/' || u.user_id end, u.committed_micro,
         case u.user_id when '' then c.total_micro else c.member_micro end, p.period_start, p.period_end
    from period p cross join cap c
    join netra.spending u on u.org_id = p_org and u.period_start = p.period_start
   where case u.user_id when '' then c.total_micro else c.member_micro end is not null;
end
$$;

-- Tells each threshold that has been reached and was not told in this period: the notice's key lets one through, whoever
-- calls how often at once. What was told stays told when the bound grows or credits come back. Returns how many.
create function netra.note_thresholds(p_org uuid) returns int
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_use record;
  v_told int := 0;
begin
  perform netra.enter_org(p_org);
  for v_use in
    select u.*, t.threshold
      from netra.threshold_uses(p_org) u cross join (values (50), (80), (100)) t (threshold)
     where u.of_micro > 0 and u.used_micro::numeric * 100 >= u.of_micro::numeric * t.threshold
     order by u.subject, t.threshold
  loop
    insert into netra.threshold_notice (org_id, period_start, subject, threshold, used_micro, of_micro)
    values (p_org, v_use.period_start, v_use.subject, v_use.threshold, v_use.used_micro, v_use.of_micro)
    on conflict do nothing;
    continue when not found;
    v_told := v_told + 1;
    perform netra.emit_webhook(p_org, 'credits.threshold',
      format('%s/%s/%s', v_use.subject, v_use.threshold, extract(epoch from v_use.period_start)),
      jsonb_build_object('subject', split_part(v_use.subject, '/', 1),
        'user', nullif(substr(v_use.subject, length('member/') + 1), ''), 'threshold', v_use.threshold,
        'used_micro', v_use.used_micro::text, 'of_micro', v_use.of_micro::text,
        'period_start', v_use.period_start, 'period_end', v_use.period_end));
  end loop;
  return v_told;
end
$$;

-- Whether something waits to be pumped: a look that costs one index probe, so that nodes may look every few seconds.
create function netra.outbox_waits() returns boolean
  language sql stable security definer set search_path = pg_catalog
  as $$ select exists (select from netra.outbox o where o.batch_id is null) $$;

grant create on schema netra to netra_system;
alter function netra.claim_deliveries(uuid, int, int) owner to netra_system;
alter function netra.forget_deliveries(int, int, int) owner to netra_system;
alter function netra.outbox_waits() owner to netra_system;
revoke create on schema netra from netra_system;
alter function netra.emit_webhook(uuid, text, text, jsonb) owner to netra_ledger;
alter function netra.note_thresholds(uuid) owner to netra_ledger;
alter function netra.threshold_uses(uuid) owner to netra_ledger;
grant execute on function netra.emit_webhook(uuid, text, text, jsonb), netra.note_thresholds(uuid)
  to netra_app, netra_ledger, netra_log, netra_system;
grant execute on function
  netra.create_webhook(uuid, uuid, text, text, text[], text, text, text, int),
  netra.rotate_webhook(uuid, uuid, text, text, int), netra.claim_deliveries(uuid, int, int),
  netra.disable_webhook(uuid, uuid, text),
  netra.record_delivery(uuid, uuid, uuid, uuid, text, int, text, text, bigint, bigint),
  netra.test_webhook(uuid, uuid, text, int), netra.resend_delivery(uuid, uuid, uuid, int),
  netra.ready_webhook(uuid, uuid), netra.room_webhook(uuid, uuid, int), netra.forget_deliveries(int, int, int),
  netra.outbox_waits()
  to netra_app;
