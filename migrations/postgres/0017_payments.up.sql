-- not breaking: adds packs of credits and their purchase, plans that are paid first, payments, and the inbox of providers
-- Packs are dated data: a new price is a new row, and a purchase keeps the row that it was asked at.
create table netra.credit_pack (
  pack_id       text not null check (pack_id ~ '^[a-z0-9][a-z0-9_-]{0,31}$'),
  valid_from    timestamptz not null,
  name          text not null check (length(name) between 1 and 100),
  credits_micro bigint not null check (credits_micro > 0),
  price_usd     numeric(12, 2) not null check (price_usd > 0),
  -- False from this date on it is not sold.
  on_sale       boolean not null default true,
  primary key (pack_id, valid_from)
);
insert into netra.credit_pack (pack_id, valid_from, name, credits_micro, price_usd)
values ('small',  '2026-01-01Z', '1,000 credits',   1000000000,  10.00),
       ('medium', '2026-01-01Z', '5,000 credits',   5000000000,  50.00),
       ('large',  '2026-01-01Z', '25,000 credits', 25000000000, 250.00);
grant select on netra.credit_pack to netra_app, netra_system, netra_ledger;
grant insert on netra.credit_pack to netra_ledger;

-- Who an organisation is to a provider.
create table netra.payment_customer (
  org_id       uuid not null references netra.org (org_id),
  provider     text not null,
  customer_ref text not null check (length(customer_ref) between 1 and 255),
  created_at   timestamptz not null default now(),
  primary key (org_id, provider)
);
create unique index payment_customer_ref on netra.payment_customer (provider, customer_ref);

create table netra.credit_purchase (
  org_id          uuid not null references netra.org (org_id),
  purchase_id     uuid not null,
  pack_id         text not null,
  pack_valid_from timestamptz not null,
  credits_micro   bigint not null check (credits_micro > 0),
  net_usd         numeric(14, 2) not null check (net_usd > 0),
  tax_rate        numeric not null check (tax_rate >= 0),
  tax_name        text not null,
  tax_note        text not null,
  tax_usd         numeric(14, 2) not null check (tax_usd >= 0),
  total_usd       numeric(14, 2) not null,
  state           text not null default 'pending' check (state in ('pending', 'paid', 'cancelled', 'refunded')),
  provider        text not null,
  -- What the provider knows the purchase by, and where the payer goes.
  provider_ref    text,
  pay_url         text,
  key             text not null check (length(key) between 1 and 255),
  created_by      text not null,
  created_at      timestamptz not null default now(),
  paid_at         timestamptz,
  ended_at        timestamptz,
  grant_id        uuid,
  -- The credits that a refund took back: what was unspent of them.
  revoked_micro   bigint check (revoked_micro between 0 and credits_micro),
  invoice_id      uuid,
  primary key (org_id, purchase_id),
  unique (org_id, key),
  foreign key (pack_id, pack_valid_from) references netra.credit_pack (pack_id, valid_from),
  check (total_usd = net_usd + tax_usd),
  check ((state in ('paid', 'refunded')) = (paid_at is not null)),
  check ((paid_at is not null) = (grant_id is not null)),
  check ((state = 'refunded') = (revoked_micro is not null))
);
-- A notice names a purchase; whose it is must be one answer.
create unique index credit_purchase_one on netra.credit_purchase (purchase_id);
create index credit_purchase_list on netra.credit_purchase (org_id, created_at, purchase_id);
-- What was paid is invoiced, for an organisation without a subscription too.
create trigger invoices after insert or update of state on netra.credit_purchase
  for each row when (new.state = 'paid') execute function netra.schedule_purchase();

-- A plan that is paid before it begins: what is asked for at once, and then each month by the provider's subscription.
create table netra.plan_checkout (
  org_id          uuid not null references netra.org (org_id),
  checkout_id     uuid not null,
  plan_id         text not null,
  plan_valid_from timestamptz not null,
  -- The rest of the period that runs, and each month from `renews_at` on. Tax included.
  first_usd       numeric(14, 2) not null check (first_usd > 0),
  month_usd       numeric(14, 2) not null check (month_usd > 0),
  tax_name        text not null,
  renews_at       timestamptz not null,
  -- Ended: another took its place, or its page closed unpaid.
  state           text not null default 'pending' check (state in ('pending', 'paid', 'ended')),
  provider        text not null,
  provider_ref    text not null,
  pay_url         text,
  key             text not null check (length(key) between 1 and 255),
  created_by      text not null,
  created_at      timestamptz not null default now(),
  paid_at         timestamptz,
  primary key (org_id, checkout_id),
  unique (org_id, key),
  foreign key (plan_id, plan_valid_from) references netra.plan (plan_id, valid_from),
  check ((state = 'paid') = (paid_at is not null))
);
create unique index plan_checkout_one on netra.plan_checkout (checkout_id);

-- What the provider collects each month, for a plan that was paid at a checkout.
create table netra.payment_subscription (
  org_id           uuid not null,
  checkout_id      uuid not null,
  provider         text not null,
  -- Null until the provider was told to begin.
  subscription_ref text,
  state            text not null default 'active' check (state in ('active', 'past_due', 'ended')),
  -- Another took its place: it ends at the provider, whatever the plan is.
  replaced         boolean not null default false,
  -- What the provider was told last: to go on at so much a month, or to end; and how the plan stood then.
  told             text check (told in ('renew', 'end_with_period', 'end_now')),
  told_usd         numeric(14, 2),
  told_version     int,
  told_at          timestamptz,
  -- The last try that failed since.
  failed_at        timestamptz,
  begun_at         timestamptz not null default now(),
  ended_at         timestamptz,
  primary key (org_id, checkout_id),
  foreign key (org_id, checkout_id) references netra.plan_checkout (org_id, checkout_id),
  check ((state = 'ended') = (ended_at is not null))
);
create unique index payment_subscription_ref on netra.payment_subscription (provider, subscription_ref);
create unique index payment_subscription_one on netra.payment_subscription (org_id)
  where state <> 'ended' and not replaced;
create index payment_subscription_live on netra.payment_subscription (told_at) where state <> 'ended';

-- Money that came in (above zero) or went back (below). Append-only.
create table netra.payment (
  org_id       uuid not null references netra.org (org_id),
  payment_id   uuid not null,
  kind         text not null check (kind in ('payment', 'reversal')),
  -- What it pays. Money for a plan comes before its invoice: netra.payment_use says which it went to.
  purchase_id  uuid,
  invoice_id   uuid,
  checkout_id  uuid,
  -- A reversal: of which payment.
  reverses     uuid,
  amount_usd   numeric(14, 2) not null,
  provider     text not null,
  -- The provider's payment or refund; of a manual one the reference that the operator gave.
  provider_ref text not null check (length(provider_ref) between 1 and 255),
  note         text not null default '',
  recorded_by  text not null,
  recorded_at  timestamptz not null default now(),
  primary key (org_id, payment_id),
  foreign key (org_id, purchase_id) references netra.credit_purchase (org_id, purchase_id),
  foreign key (org_id, invoice_id) references netra.invoice (org_id, invoice_id),
  foreign key (org_id, checkout_id) references netra.plan_checkout (org_id, checkout_id),
  foreign key (org_id, reverses) references netra.payment (org_id, payment_id),
  check (amount_usd <> 0 and (kind = 'payment') = (amount_usd > 0)),
  check ((kind = 'reversal') = (reverses is not null)),
  check (num_nonnulls(purchase_id, invoice_id, checkout_id) = 1)
);
-- One row for each thing that the provider did, whoever tells of it and how often.
create unique index payment_once on netra.payment
  (org_id, provider, provider_ref, kind, coalesce(purchase_id, invoice_id, checkout_id));
create index payment_purchase on netra.payment (org_id, purchase_id) where purchase_id is not null;
create index payment_invoice on netra.payment (org_id, invoice_id) where invoice_id is not null;
create index payment_checkout on netra.payment (org_id, checkout_id) where checkout_id is not null;
create index payment_reverses on netra.payment (org_id, reverses) where reverses is not null;
create trigger immutable before update or delete or truncate on netra.payment
  for each statement execute function netra.refuse_rewrite();

-- Money for a plan, put to an invoice (above zero) or taken from it again (below). Append-only.
create table netra.payment_use (
  org_id     uuid not null,
  use_id     bigint generated always as identity,
  payment_id uuid not null,
  invoice_id uuid not null,
  amount_usd numeric(14, 2) not null check (amount_usd <> 0),
  at         timestamptz not null default now(),
  primary key (org_id, use_id),
  foreign key (org_id, payment_id) references netra.payment (org_id, payment_id),
  foreign key (org_id, invoice_id) references netra.invoice (org_id, invoice_id)
);
create index payment_use_payment on netra.payment_use (org_id, payment_id);
create index payment_use_invoice on netra.payment_use (org_id, invoice_id);
create trigger immutable before update or delete or truncate on netra.payment_use
  for each statement execute function netra.refuse_rewrite();

do $$
declare
  v_table text;
begin
  foreach v_table in array array['payment_customer', 'credit_purchase', 'plan_checkout', 'payment_subscription',
                                 'payment', 'payment_use'] loop
    execute format('alter table netra.%I enable row level security', v_table);
    execute format('alter table netra.%I force row level security', v_table);
    execute format('create policy tenant on netra.%I to netra_app, netra_ledger using (org_id = netra.current_org()) '
                   'with check (org_id = netra.current_org())', v_table);
    execute format('create policy system on netra.%I for select to netra_system using (true)', v_table);
    execute format('grant select on netra.%I to netra_app, netra_system', v_table);
    execute format('grant select, insert%s on netra.%I to netra_ledger',
                   case when v_table in ('credit_purchase', 'plan_checkout', 'payment_subscription') then ', update'
                        else '' end, v_table);
  end loop;
end
$$;

-- What providers told, as it came. Not a tenant's: whose it is shows only when it is read, so no application role may
-- read it but through the functions below.
create table netra.payment_event (
  provider     text not null,
  event_id     text not null check (length(event_id) between 1 and 255),
  type         text not null check (length(type) between 1 and 255),
  body         text not null,
  received_at  timestamptz not null default now(),
  state        text not null default 'received' check (state in ('received', 'processed', 'ignored', 'flagged')),
  note         text not null default '',
  attempts     int not null default 0 check (attempts >= 0),
  next_at      timestamptz not null default now(),
  processed_at timestamptz,
  primary key (provider, event_id),
  check ((state = 'received') = (processed_at is null))
);
create index payment_event_due on netra.payment_event (next_at) where state = 'received';
grant select, insert, update, delete on netra.payment_event to netra_ledger;
grant select on netra.payment_event to netra_system;

-- Keeps a dated row of a pack; false if it was there. What was sold is not edited: other terms under the same date,
-- or a date that has passed, are a conflict.
create function netra.keep_pack(p_pack text, p_valid_from timestamptz, p_name text, p_credits_micro bigint,
                                p_price_usd numeric, p_on_sale boolean) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_known netra.credit_pack;
begin
  select * into v_known from netra.credit_pack k where k.pack_id = p_pack and k.valid_from = p_valid_from;
  if found then
    if (v_known.name, v_known.credits_micro, v_known.price_usd, v_known.on_sale)
       is distinct from (p_name, p_credits_micro, p_price_usd, p_on_sale) then
      perform netra.refuse('conflict', format('The pack %s of %s has other terms; give a new date.', p_pack,
        p_valid_from), jsonb_build_object('pack', p_pack));
    end if;
    return false;
  end if;
  if p_valid_from < now() then
    perform netra.refuse('invalid_request', format('The pack %s would begin in the past.', p_pack),
      jsonb_build_object('pack', p_pack));
  end if;
  insert into netra.credit_pack (pack_id, valid_from, name, credits_micro, price_usd, on_sale)
  values (p_pack, p_valid_from, p_name, p_credits_micro, p_price_usd, p_on_sale);
  return true;
end
$$;

-- What is sold at `p_at`, smallest first.
create function netra.packs_on_sale(p_at timestamptz) returns setof netra.credit_pack
  language sql stable as $$
  select k.* from (select distinct on (c.pack_id) c.* from netra.credit_pack c where c.valid_from <= p_at
                    order by c.pack_id, c.valid_from desc) k
   where k.on_sale order by k.credits_micro, k.pack_id
$$;

-- What the pack costs the organisation at `p_at`: net, tax half-even to the cent, and total.
create function netra.purchase_terms(p_org uuid, p_pack text, p_at timestamptz)
  returns table (pack_valid_from timestamptz, pack_name text, credits_micro bigint, net_usd numeric, tax_rate numeric,
                 tax_name text, tax_note text, tax_usd numeric, total_usd numeric)
  language plpgsql as $$
begin
  return query
  select k.valid_from, k.name, k.credits_micro, k.price_usd::numeric, t.rate, t.name, t.note,
         netra.half_even(k.price_usd * t.rate), k.price_usd + netra.half_even(k.price_usd * t.rate)
    from netra.packs_on_sale(p_at) k cross join netra.tax_of(p_org, p_at) t where k.pack_id = p_pack;
  if not found then
    perform netra.refuse('not_found', format('There is no pack %L on sale.', p_pack), jsonb_build_object('pack', p_pack));
  end if;
end
$$;

-- Before the provider is asked: the purchase that the key made (`known`), or what a new one would be. The moment of the
-- terms goes to netra.open_purchase, so that what was asked of the payer is what is written.
create function netra.quote_purchase(p_org uuid, p_purchase uuid, p_pack text, p_provider text, p_key text)
  returns table (known boolean, purchase_id uuid, quoted_at timestamptz, pack_name text, total_usd text, tax_name text,
                 org_name text, customer_ref text)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_known netra.credit_purchase;
begin
  perform netra.enter_org(p_org);
  select * into v_known from netra.credit_purchase c where c.org_id = p_org and c.key = p_key;
  if found then
    perform netra.same_purchase(v_known, p_pack);
    return query select true, v_known.purchase_id, v_known.created_at, '', v_known.total_usd::text, v_known.tax_name,
      '', null::text;
    return;
  end if;
  return query
  select false, p_purchase, now(), t.pack_name, t.total_usd::text, t.tax_name, o.name, c.customer_ref
    from netra.purchase_terms(p_org, p_pack, now()) t
    join netra.org o on o.org_id = p_org
    left join netra.payment_customer c on c.org_id = p_org and c.provider = p_provider;
end
$$;

create function netra.same_purchase(p_known netra.credit_purchase, p_pack text) returns void
  language plpgsql as $$
begin
  if p_known.pack_id <> p_pack then
    perform netra.refuse('idempotency_key_reused', 'This key was used for another purchase.',
      jsonb_build_object('purchase', p_known.purchase_id));
  end if;
end
$$;

-- Writes a pending purchase at the terms of `p_quoted_at`. The same key and pack again: nothing is written.
create function netra.open_purchase(p_org uuid, p_purchase uuid, p_pack text, p_quoted_at timestamptz, p_provider text,
                                    p_provider_ref text, p_pay_url text, p_by text, p_key text) returns uuid
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_known netra.credit_purchase;
begin
  perform netra.enter_org(p_org);
  if p_quoted_at not between now() - interval '10 minutes' and now() + interval '1 minute' then
    perform netra.refuse('conflict', 'The terms are no longer fresh; ask again.');
  end if;
  insert into netra.credit_purchase (org_id, purchase_id, pack_id, pack_valid_from, credits_micro, net_usd, tax_rate,
    tax_name, tax_note, tax_usd, total_usd, provider, provider_ref, pay_url, key, created_by)
  select p_org, p_purchase, p_pack, t.pack_valid_from, t.credits_micro, t.net_usd, t.tax_rate, t.tax_name, t.tax_note,
         t.tax_usd, t.total_usd, p_provider, p_provider_ref, p_pay_url, p_key, p_by
    from netra.purchase_terms(p_org, p_pack, p_quoted_at) t
  on conflict (org_id, key) do nothing;
  select * into strict v_known from netra.credit_purchase c where c.org_id = p_org and c.key = p_key;
  perform netra.same_purchase(v_known, p_pack);
  return v_known.purchase_id;
end
$$;

-- Locks a purchase; refuses not_found.
create function netra.lock_purchase(p_org uuid, p_purchase uuid) returns netra.credit_purchase
  language plpgsql as $$
declare
  v_purchase netra.credit_purchase;
begin
  select * into v_purchase from netra.credit_purchase c
   where c.org_id = p_org and c.purchase_id = p_purchase for no key update;
  if not found then
    perform netra.refuse('not_found', 'There is no such purchase.', jsonb_build_object('purchase', p_purchase));
  end if;
  return v_purchase;
end
$$;

create function netra.refuse_purchase(p_purchase netra.credit_purchase) returns void
  language plpgsql as $$
begin
  perform netra.refuse('conflict', format('This purchase is %s.', p_purchase.state),
    jsonb_build_object('purchase', p_purchase.purchase_id, 'state', p_purchase.state));
end
$$;

-- Money came for a purchase: marks it paid, records the payment and grants the credits, all or nothing, once. The row's
-- lock makes a race of two notices one after the other, and the second finds it paid: `settled` is then false.
-- Refuses conflict for another amount and for a purchase that was cancelled or refunded.
create function netra.settle_purchase(p_org uuid, p_purchase uuid, p_provider text, p_provider_ref text,
                                      p_amount_usd numeric, p_by text, p_note text)
  returns table (settled boolean, grant_id uuid, payment_ref text)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_purchase netra.credit_purchase;
begin
  perform netra.enter_org(p_org);
  v_purchase := netra.lock_purchase(p_org, p_purchase);
  if p_amount_usd is distinct from v_purchase.total_usd then
    perform netra.refuse('conflict', format('This purchase costs %s USD; %s were paid.', v_purchase.total_usd,
      p_amount_usd), jsonb_build_object('purchase', p_purchase, 'total_usd', v_purchase.total_usd::text));
  end if;
  if v_purchase.state = 'pending' then
    select g.grant_id into strict v_purchase.grant_id from netra.grant_credits(
      p_org => p_org, p_grant => gen_random_uuid(), p_amount_micro => v_purchase.credits_micro,
      p_source => 'purchase', p_priority => null, p_expires_at => null,
      p_reason => format('purchase of %s', v_purchase.pack_id), p_key => 'purchase:' || p_purchase) g;
    insert into netra.payment (org_id, payment_id, kind, purchase_id, amount_usd, provider, provider_ref, note,
      recorded_by)
    values (p_org, gen_random_uuid(), 'payment', p_purchase, p_amount_usd, p_provider, p_provider_ref, p_note, p_by);
    update netra.credit_purchase c
       set state = 'paid', paid_at = now(), grant_id = v_purchase.grant_id
     where c.org_id = p_org and c.purchase_id = p_purchase;
    perform netra.emit_webhook(p_org, 'purchase.paid', p_purchase::text, jsonb_build_object(
      'purchase', p_purchase, 'pack', v_purchase.pack_id, 'credits_micro', v_purchase.credits_micro::text,
      'total_usd', v_purchase.total_usd::text));
    return query select true, v_purchase.grant_id, p_provider_ref;
  elsif v_purchase.state = 'paid' then
    return query select false, v_purchase.grant_id, y.provider_ref from netra.payment y
      where y.org_id = p_org and y.purchase_id = p_purchase and y.kind = 'payment' limit 1;
  else
    perform netra.refuse_purchase(v_purchase);
  end if;
end
$$;

-- Ends a purchase that nobody has paid; again, it changes nothing. True if this call ended it.
create function netra.cancel_purchase(p_org uuid, p_purchase uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_purchase netra.credit_purchase;
begin
  perform netra.enter_org(p_org);
  v_purchase := netra.lock_purchase(p_org, p_purchase);
  if v_purchase.state = 'cancelled' then return false; end if;
  if v_purchase.state <> 'pending' then
    perform netra.refuse_purchase(v_purchase);
  end if;
  update netra.credit_purchase c set state = 'cancelled', ended_at = now()
   where c.org_id = p_org and c.purchase_id = p_purchase;
  return true;
end
$$;

-- Takes back what is unspent of a purchase, before the money goes back, so that it cannot be spent in between. The
-- credits leave as an expiry that names the purchase's grant: available → expired, one transfer; and the grant ends, so
-- that a charge refunded to it later expires too. Refuses conflict while some of them are on hold. Again: the same
-- answer. `refunded` says whether the money's way back is recorded.
create function netra.begin_refund(p_org uuid, p_purchase uuid, p_reason text)
  returns table (revoked_micro bigint, total_usd text, provider text, payment_ref text, refunded boolean)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_purchase netra.credit_purchase;
  v_grant netra.credit_grant;
begin
  perform netra.enter_org(p_org);
  v_purchase := netra.lock_purchase(p_org, p_purchase);
  if v_purchase.state = 'paid' then
    -- The wallet before the grant, as every movement locks them.
    perform from netra.wallet w where w.org_id = p_org and w.wallet_id = 0 for no key update;
    select * into strict v_grant from netra.credit_grant g
     where g.org_id = p_org and g.grant_id = v_purchase.grant_id for no key update;
    if v_grant.held_micro > 0 then
      perform netra.refuse('conflict', 'Credits of this purchase are on hold; try again when the runs have ended.',
        jsonb_build_object('purchase', p_purchase, 'held_micro', v_grant.held_micro::text));
    end if;
    v_purchase.revoked_micro := v_grant.remaining_micro;
    update netra.credit_grant g
       set remaining_micro = 0, expired_micro = g.expired_micro + v_grant.remaining_micro, live = false,
           expires_at = least(g.expires_at, now())
     where g.org_id = p_org and g.grant_id = v_purchase.grant_id;
    if v_grant.remaining_micro > 0 then
      perform netra.post(p_org, 0, 'expire', 'purchase-refund:' || p_purchase, v_grant.remaining_micro,
        left('purchase refunded: ' || p_reason, 200), p_grant => v_purchase.grant_id,
        p_available_micro => -v_grant.remaining_micro, p_expired_micro => v_grant.remaining_micro);
    end if;
    update netra.credit_purchase c
       set state = 'refunded', ended_at = now(), revoked_micro = v_purchase.revoked_micro
     where c.org_id = p_org and c.purchase_id = p_purchase;
  elsif v_purchase.state <> 'refunded' then
    perform netra.refuse_purchase(v_purchase);
  end if;
  return query
  select v_purchase.revoked_micro, v_purchase.total_usd::text, y.provider, y.provider_ref,
         exists (select from netra.payment r
                  where r.org_id = p_org and r.purchase_id = p_purchase and r.kind = 'reversal')
    from netra.payment y where y.org_id = p_org and y.purchase_id = p_purchase and y.kind = 'payment' limit 1;
end
$$;

-- The money of a refunded purchase has gone back: reverses its payment, once. True if this call wrote it.
create function netra.finish_refund(p_org uuid, p_purchase uuid, p_provider_ref text, p_by text, p_note text)
  returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_purchase netra.credit_purchase;
begin
  perform netra.enter_org(p_org);
  v_purchase := netra.lock_purchase(p_org, p_purchase);
  if v_purchase.state <> 'refunded' then perform netra.refuse_purchase(v_purchase); end if;
  if exists (select from netra.payment y
              where y.org_id = p_org and y.purchase_id = p_purchase and y.kind = 'reversal') then
    return false;
  end if;
  insert into netra.payment (org_id, payment_id, kind, purchase_id, reverses, amount_usd, provider, provider_ref, note,
    recorded_by)
  select p_org, gen_random_uuid(), 'reversal', p_purchase, y.payment_id, -y.amount_usd, y.provider, p_provider_ref,
         p_note, p_by
    from netra.payment y where y.org_id = p_org and y.purchase_id = p_purchase and y.kind = 'payment';
  perform netra.emit_webhook(p_org, 'purchase.refunded', p_purchase::text, jsonb_build_object(
    'purchase', p_purchase, 'revoked_micro', v_purchase.revoked_micro::text,
    'total_usd', v_purchase.total_usd::text));
  return true;
end
$$;

-- Whose purchase it is; null if there is none. For a notice, which comes from outside every tenant.
create function netra.org_of_purchase(p_purchase uuid) returns uuid
  language sql stable security definer set search_path = pg_catalog as $$
  select c.org_id from netra.credit_purchase c where c.purchase_id = p_purchase
$$;

-- Purchases of all organisations, newest first, for the operator. A null state = all.
create function netra.list_purchases(p_state text, p_limit int) returns setof netra.credit_purchase
  language sql stable security definer set search_path = pg_catalog as $$
  select c.* from netra.credit_purchase c where p_state is null or c.state = p_state
   order by c.created_at desc, c.purchase_id limit p_limit
$$;

-- Stores what a provider told; false if it was stored before. The caller has verified who it comes from.
create function netra.store_payment_event(p_provider text, p_event text, p_type text, p_body text) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into netra.payment_event (provider, event_id, type, body) values (p_provider, p_event, p_type, p_body)
  on conflict do nothing;
  return found;
end
$$;

-- What providers told, newest first, without its body. A null state = all.
create function netra.list_payment_events(p_state text, p_limit int)
  returns table (provider text, event_id text, type text, received_at timestamptz, state text, note text, attempts int)
  language sql stable security definer set search_path = pg_catalog as $$
  select e.provider, e.event_id, e.type, e.received_at, e.state, e.note, e.attempts from netra.payment_event e
   where p_state is null or e.state = p_state order by e.received_at desc, e.event_id limit p_limit
$$;

-- Keeps who the organisation is to the provider. Returns the one that was kept first: two that asked at once share it.
create function netra.keep_payment_customer(p_org uuid, p_provider text, p_customer text) returns text
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  insert into netra.payment_customer (org_id, provider, customer_ref) values (p_org, p_provider, p_customer)
  -- Of either unique key: two who ask at once are told the same customer, and whichever index sees it first speaks.
  on conflict do nothing;
  return (select c.customer_ref from netra.payment_customer c where c.org_id = p_org and c.provider = p_provider);
end
$$;

-- Money came for an invoice. Once for each reference: the same again writes nothing, another amount under it is a
-- conflict. The invoice is paid when what came, less what went back, reaches what credit notes have left of its due;
-- less and more stay visible as `balance_usd` (what is still to pay; below zero = paid too much).
create function netra.record_payment(p_org uuid, p_invoice uuid, p_amount_usd numeric, p_provider text,
                                     p_provider_ref text, p_by text, p_note text)
  returns table (recorded boolean, state text, balance_usd text)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_invoice netra.invoice;
  v_known numeric;
  v_recorded boolean := false;
begin
  perform netra.enter_org(p_org);
  if p_amount_usd is null or p_amount_usd <= 0 or p_amount_usd <> trunc(p_amount_usd, 2) then
    perform netra.refuse('invalid_request', 'A payment is more than zero, in whole cents.');
  end if;
  select * into v_invoice from netra.invoice i
   where i.org_id = p_org and i.invoice_id = p_invoice and i.kind = 'invoice' for no key update;
  if not found then perform netra.refuse('not_found', 'There is no such invoice.'); end if;
  select y.amount_usd into v_known from netra.payment y
   where y.org_id = p_org and y.invoice_id = p_invoice and y.kind = 'payment' and y.provider = p_provider
     and y.provider_ref = p_provider_ref;
  if found and v_known <> p_amount_usd then
    perform netra.refuse('conflict', format('This reference was recorded with %s USD.', v_known),
      jsonb_build_object('invoice', v_invoice.number, 'reference', p_provider_ref));
  elsif not found then
    insert into netra.payment (org_id, payment_id, kind, invoice_id, amount_usd, provider, provider_ref, note, recorded_by)
    values (p_org, gen_random_uuid(), 'payment', p_invoice, p_amount_usd, p_provider, p_provider_ref, p_note, p_by);
    v_recorded := true;
  end if;
  return query select v_recorded, b.state, b.balance_usd::text from netra.balance_invoice(p_org, p_invoice) b;
end
$$;

-- What is still to pay of an invoice: its due, less credit notes, less payments and plus what went back.
create function netra.invoice_balance(p_org uuid, p_invoice uuid) returns numeric
  language sql stable as $$
  select (select coalesce(sum(i.due_usd), 0) from netra.invoice i
           where i.org_id = p_org and (i.invoice_id = p_invoice or i.corrects = p_invoice))
       - (select coalesce(sum(y.amount_usd), 0) from netra.payment y
           where y.org_id = p_org and y.invoice_id = p_invoice)
       - (select coalesce(sum(u.amount_usd), 0) from netra.payment_use u
           where u.org_id = p_org and u.invoice_id = p_invoice)
$$;

-- Brings an invoice's state in line with its balance, and tells of it: paid when nothing is left to pay, open again when
-- money went back.
create function netra.balance_invoice(p_org uuid, p_invoice uuid, out state text, out balance_usd numeric)
  language plpgsql as $$
declare
  v_invoice netra.invoice;
  v_type text;
begin
  select * into strict v_invoice from netra.invoice i
   where i.org_id = p_org and i.invoice_id = p_invoice for no key update;
  balance_usd := netra.invoice_balance(p_org, p_invoice);
  state := case when v_invoice.state = 'open' and balance_usd <= 0 then 'paid'
                when v_invoice.state = 'paid' and balance_usd > 0 then 'open' else v_invoice.state end;
  if state = v_invoice.state then return; end if;
  update netra.invoice i set state = balance_invoice.state, paid_at = case balance_invoice.state when 'paid' then now() end
   where i.org_id = p_org and i.invoice_id = p_invoice;
  v_type := case state when 'paid' then 'invoice.paid' else 'invoice.reopened' end;
  -- It may be paid, reopened and paid again: each is told once.
  perform netra.emit_webhook(p_org, v_type, format('%s:%s', p_invoice, (
      select count(*) from netra.webhook_event e
       where e.org_id = p_org and e.type = v_type and starts_with(e.key, p_invoice::text))),
    jsonb_build_object('invoice', p_invoice, 'number', v_invoice.number, 'total_usd', v_invoice.total_usd::text,
      'balance_usd', balance_usd::text));
end
$$;

-- One at a time for an organisation: which money went to which invoice is decided under this lock.
create function netra.lock_plan_money(p_org uuid) returns void
  language sql as $$
  select pg_advisory_xact_lock(1940, hashtext(p_org::text))
$$;

-- What is left of a payment: less what went back, less what went to invoices.
create function netra.unused_of_payment(p_org uuid, p_payment uuid) returns numeric
  language sql stable as $$
  select (select sum(y.amount_usd) from netra.payment y
           where y.org_id = p_org and (y.payment_id = p_payment or y.reverses = p_payment))
       - (select coalesce(sum(u.amount_usd), 0) from netra.payment_use u
           where u.org_id = p_org and u.payment_id = p_payment)
$$;

-- Puts money for a plan to what open invoices bill for one (price and upgrades, with their tax), oldest to oldest. What
-- else an invoice bills is paid by itself: the money for next month does not pay this month's overage.
create function netra.use_plan_money(p_org uuid) returns void
  language plpgsql as $$
declare
  v_invoice record;
  v_payment record;
  v_left_usd numeric;
begin
  perform netra.lock_plan_money(p_org);
  for v_invoice in
    select i.invoice_id, netra.invoice_balance(p_org, i.invoice_id) as balance_usd,
           (select coalesce(sum(l.net_usd + l.tax_usd), 0) from netra.invoice_line l
             where l.org_id = p_org and l.invoice_id = i.invoice_id and l.kind in ('base', 'upgrade'))
         - (select coalesce(sum(u.amount_usd), 0) from netra.payment_use u
             where u.org_id = p_org and u.invoice_id = i.invoice_id) as plan_usd
      from netra.invoice i where i.org_id = p_org and i.state = 'open' order by i.issued_at, i.serial
  loop
    v_left_usd := least(v_invoice.balance_usd, v_invoice.plan_usd);
    for v_payment in
      select m.payment_id, m.unused_usd
        from (select y.payment_id, y.recorded_at, netra.unused_of_payment(p_org, y.payment_id) as unused_usd
                from netra.payment y
               where y.org_id = p_org and y.kind = 'payment' and y.checkout_id is not null) m
       where m.unused_usd > 0 order by m.recorded_at, m.payment_id
    loop
      exit when v_left_usd <= 0;
      insert into netra.payment_use (org_id, payment_id, invoice_id, amount_usd)
      values (p_org, v_payment.payment_id, v_invoice.invoice_id, least(v_left_usd, v_payment.unused_usd));
      v_left_usd := v_left_usd - v_payment.unused_usd;
    end loop;
    perform netra.balance_invoice(p_org, v_invoice.invoice_id);
  end loop;
end
$$;

create function netra.pay_new_invoice() returns trigger
  language plpgsql as $$
begin
  if exists (select from netra.payment y where y.org_id = new.org_id and y.checkout_id is not null) then
    perform netra.use_plan_money(new.org_id);
  end if;
  return null;
end
$$;
create trigger plan_money after insert on netra.invoice
  for each row when (new.kind = 'invoice' and new.state = 'open') execute function netra.pay_new_invoice();

-- Money that came for an invoice, a plan, or a purchase that was cancelled before, went back: by us, by the payer's bank, or because it never really came. Once
-- for each reference; never more than came. An invoice that it had paid is open again. True if this call wrote it.
create function netra.reverse_payment(p_org uuid, p_payment uuid, p_amount_usd numeric, p_provider_ref text, p_by text,
                                      p_note text) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_payment netra.payment;
  v_known numeric;
  v_over_usd numeric;
  v_use record;
begin
  perform netra.enter_org(p_org);
  perform netra.lock_plan_money(p_org);
  select * into v_payment from netra.payment y
   where y.org_id = p_org and y.payment_id = p_payment and y.kind = 'payment';
  if not found then
    perform netra.refuse('not_found', 'There is no such payment.', jsonb_build_object('payment', p_payment));
  elsif exists (select from netra.credit_purchase c where c.org_id = p_org and c.purchase_id = v_payment.purchase_id
                   and c.state <> 'cancelled') then
    perform netra.refuse('conflict', 'This paid for credits: refund the purchase, which takes them back.',
      jsonb_build_object('payment', p_payment, 'purchase', v_payment.purchase_id));
  elsif p_amount_usd is null or p_amount_usd <= 0 or p_amount_usd <> trunc(p_amount_usd, 2) then
    perform netra.refuse('invalid_request', 'A reversal is more than zero, in whole cents.');
  end if;
  select -y.amount_usd into v_known from netra.payment y
   where y.org_id = p_org and y.reverses = p_payment and y.provider_ref = p_provider_ref;
  if v_known = p_amount_usd then return false; end if;
  if v_known is not null then
    perform netra.refuse('conflict', format('This reference was recorded with %s USD.', v_known),
      jsonb_build_object('payment', p_payment, 'reference', p_provider_ref));
  end if;
  v_over_usd := p_amount_usd - (select sum(y.amount_usd) from netra.payment y
                                 where y.org_id = p_org and (y.payment_id = p_payment or y.reverses = p_payment));
  if v_over_usd > 0 then
    perform netra.refuse('conflict', format('This is %s more than is left of the payment.', v_over_usd),
      jsonb_build_object('payment', p_payment));
  end if;
  insert into netra.payment (org_id, payment_id, kind, purchase_id, invoice_id, checkout_id, reverses, amount_usd,
    provider, provider_ref, note, recorded_by)
  values (p_org, gen_random_uuid(), 'reversal', v_payment.purchase_id, v_payment.invoice_id, v_payment.checkout_id, p_payment, -p_amount_usd,
    v_payment.provider, p_provider_ref, p_note, p_by);
  if v_payment.invoice_id is not null then
    perform netra.balance_invoice(p_org, v_payment.invoice_id);
    return true;
  end if;
  v_over_usd := -netra.unused_of_payment(p_org, p_payment);
  for v_use in
    select u.invoice_id, sum(u.amount_usd) as amount_usd from netra.payment_use u
     where u.org_id = p_org and u.payment_id = p_payment group by 1
    having sum(u.amount_usd) > 0 order by max(u.use_id) desc
  loop
    exit when v_over_usd <= 0;
    insert into netra.payment_use (org_id, payment_id, invoice_id, amount_usd)
    values (p_org, p_payment, v_use.invoice_id, -least(v_over_usd, v_use.amount_usd));
    v_over_usd := v_over_usd - v_use.amount_usd;
    perform netra.balance_invoice(p_org, v_use.invoice_id);
  end loop;
  return true;
end
$$;

-- Payments of all organisations, newest first, or one, for the operator.
create function netra.list_payments(p_payment uuid, p_limit int) returns setof netra.payment
  language sql stable security definer set search_path = pg_catalog as $$
  select y.* from netra.payment y where p_payment is null or y.payment_id = p_payment
   order by y.recorded_at desc, y.payment_id limit p_limit
$$;

-- Refuses a plan that costs more than the present one, or brings one back that does: where a provider carries money, it
-- is paid first (netra.open_plan_checkout). Else as netra.change_plan.
create function netra.change_unpaid_plan(p_org uuid, p_plan text)
  returns table (plan_id text, next_plan_id text, effective_at timestamptz, granted_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_sub netra.subscription;
  v_old netra.plan;
  v_new netra.plan := netra.plan_in_force(p_plan, now());
begin
  perform netra.grant_period(p_org);
  -- Held until the change is made: the present plan cannot fall in between.
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null for update;
  select * into v_old from netra.plan p where p.plan_id = v_sub.plan_id and p.valid_from = v_sub.plan_valid_from;
  -- What is no upgrade waits for the end of the period, and the provider is told what it costs from then on.
  if p_plan <> v_old.plan_id and v_new.price_usd > v_old.price_usd
     and (v_new.credits_micro, v_new.price_usd) > (v_old.credits_micro, v_old.price_usd) then
    perform netra.refuse('conflict', 'This plan is paid before it begins: POST /v1/subscription/checkout.',
      jsonb_build_object('plan', p_plan));
  end if;
  return query select * from netra.change_plan(p_org, p_plan);
end
$$;
create function netra.reactivate_unpaid_plan(p_org uuid) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_sub netra.subscription;
begin
  perform netra.grant_period(p_org);
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null for update;
  if v_sub.cancelled_at is null and v_sub.ended_plan_id is not null then
    perform netra.change_unpaid_plan(p_org, v_sub.ended_plan_id);
  else
    perform netra.reactivate_subscription(p_org);
  end if;
end
$$;

-- Before the provider is asked for a page: the checkout that the key made (`known`), or what a new one would be.
-- `open_pages` are those that are still to be closed, so that nobody pays twice.
create function netra.quote_plan_checkout(p_org uuid, p_checkout uuid, p_plan text, p_provider text, p_key text)
  returns table (known boolean, checkout_id uuid, plan_id text, plan_valid_from timestamptz, first_usd text,
                 month_usd text, tax_name text, renews_at timestamptz, org_name text, customer_ref text,
                 open_pages text[])
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_known netra.plan_checkout;
  v_sub netra.subscription;
  v_old netra.plan;
  v_new netra.plan;
  v_tax record;
  v_time record;
  v_first_usd numeric;
begin
  perform netra.grant_period(p_org);
  select * into v_known from netra.plan_checkout c where c.org_id = p_org and c.key = p_key;
  if found then
    if v_known.plan_id <> p_plan then
      perform netra.refuse('idempotency_key_reused', 'This key was used for another plan.',
        jsonb_build_object('checkout', v_known.checkout_id));
    end if;
    return query select true, v_known.checkout_id, v_known.plan_id, v_known.plan_valid_from, v_known.first_usd::text,
      v_known.month_usd::text, v_known.tax_name, v_known.renews_at, '', null::text, array[]::text[];
    return;
  end if;
  select * into v_sub from netra.subscription s where s.org_id = p_org and s.ended_at is null;
  if not found then perform netra.refuse('not_found', 'This organisation has no subscription.'); end if;
  select * into strict v_old from netra.plan p
   where p.plan_id = v_sub.plan_id and p.valid_from = v_sub.plan_valid_from;
  v_new := netra.plan_on_sale(p_plan, now());
  if (v_new.credits_micro, v_new.price_usd) <= (v_old.credits_micro, v_old.price_usd)
     or v_new.price_usd <= v_old.price_usd then
    perform netra.refuse('conflict', 'This plan costs no more than the present one: PUT /v1/subscription changes to it.',
      jsonb_build_object('plan', p_plan));
  elsif v_sub.period_end < now() + interval '2 hours' then
    -- A page lives for an hour, and the provider is told when the next month begins.
    perform netra.refuse('conflict', 'The period is about to end; ask again when the next one has begun.',
      jsonb_build_object('period_end', v_sub.period_end));
  end if;
  select * into strict v_tax from netra.tax_of(p_org, now());
  v_time := netra.seconds_left(v_sub);
  v_first_usd := netra.half_even((v_new.price_usd - v_old.price_usd) * v_time.left_s / v_time.total_s);
  return query
  select false, p_checkout, v_new.plan_id, v_new.valid_from,
         (v_first_usd + netra.half_even(v_first_usd * v_tax.rate))::text,
         (netra.half_even(v_new.price_usd) + netra.half_even(netra.half_even(v_new.price_usd) * v_tax.rate))::text,
         v_tax.name, v_sub.period_end, o.name, c.customer_ref,
         array(select k.provider_ref from netra.plan_checkout k
                where k.org_id = p_org and k.state = 'pending' and k.provider = p_provider)
    from netra.org o left join netra.payment_customer c on c.org_id = o.org_id and c.provider = p_provider
   where o.org_id = p_org;
end
$$;

-- Writes a pending checkout, and ends those whose pages were closed for it. The same key and plan again: nothing.
create function netra.open_plan_checkout(p_org uuid, p_checkout uuid, p_plan text, p_plan_valid_from timestamptz,
    p_first_usd numeric, p_month_usd numeric, p_tax_name text, p_renews_at timestamptz, p_provider text,
    p_provider_ref text, p_pay_url text, p_closed text[], p_by text, p_key text) returns uuid
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_known netra.plan_checkout;
begin
  perform netra.enter_org(p_org);
  insert into netra.plan_checkout (org_id, checkout_id, plan_id, plan_valid_from, first_usd, month_usd, tax_name,
    renews_at, provider, provider_ref, pay_url, key, created_by)
  values (p_org, p_checkout, p_plan, p_plan_valid_from, p_first_usd, p_month_usd, p_tax_name, p_renews_at, p_provider,
    p_provider_ref, p_pay_url, p_key, p_by)
  on conflict (org_id, key) do nothing;
  if found then
    update netra.plan_checkout c set state = 'ended'
     where c.org_id = p_org and c.state = 'pending' and c.checkout_id <> p_checkout and c.provider_ref = any (p_closed);
  end if;
  select * into strict v_known from netra.plan_checkout c where c.org_id = p_org and c.key = p_key;
  if v_known.plan_id <> p_plan then
    perform netra.refuse('idempotency_key_reused', 'This key was used for another plan.',
      jsonb_build_object('checkout', v_known.checkout_id));
  end if;
  return v_known.checkout_id;
end
$$;

-- Subscriptions that the provider is to be told something about: to begin, to go on at another amount, or to end. What it
-- was told is compared when the plan changed since, and every few hours, since prices are dated.
create function netra.subscriptions_to_tell(p_provider text, p_limit int)
  returns table (org_id uuid, checkout_id uuid, subscription_ref text, customer_ref text, payment_ref text, want text,
                 plan_id text, month_usd text, told text, told_usd text, renews_at timestamptz, version int)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_row record;
  v_next netra.plan;
  v_usd numeric;
begin
  for v_row in
    select p.*, s.version, s.plan_id, s.next_plan_id, s.period_end, n.price_usd as price_now
      from netra.payment_subscription p
      join netra.subscription s on s.org_id = p.org_id and s.ended_at is null
      join netra.plan n on n.plan_id = s.plan_id and n.valid_from = s.plan_valid_from
     -- A period that has just ended is entered first.
     where p.provider = p_provider and p.state <> 'ended' and s.period_end > now()
       and (p.failed_at is null or p.failed_at < now() - interval '5 minutes')
       and (p.told is null or p.told_version <> s.version or p.replaced and p.told <> 'end_now'
            or p.told_at < now() - interval '6 hours')
     -- What failed comes after what was never tried: it holds nothing up.
     order by p.failed_at nulls first, p.told_at nulls first limit p_limit
  loop
    select * into strict v_next from netra.plan n
     where n.plan_id = coalesce(v_row.next_plan_id, v_row.plan_id) and n.valid_from <= v_row.period_end
     order by n.valid_from desc limit 1;
    v_usd := netra.half_even(v_next.price_usd);
    v_usd := v_usd + netra.half_even(v_usd * (select t.rate from netra.tax_of(v_row.org_id, v_row.period_end) t));
    org_id := v_row.org_id;
    checkout_id := v_row.checkout_id;
    subscription_ref := v_row.subscription_ref;
    version := v_row.version;
    told := v_row.told;
    told_usd := v_row.told_usd::text;
    plan_id := v_next.plan_id;
    month_usd := v_usd::text;
    renews_at := v_row.period_end;
    want := case when v_row.replaced or v_row.price_now = 0 then 'end_now' when v_usd = 0 then 'end_with_period'
                 else 'renew' end;
    select c.customer_ref into customer_ref from netra.payment_customer c
     where c.org_id = v_row.org_id and c.provider = p_provider;
    select y.provider_ref into payment_ref from netra.payment y
     where y.org_id = v_row.org_id and y.checkout_id = v_row.checkout_id and y.kind = 'payment'
     order by y.recorded_at limit 1;
    return next;
  end loop;
end
$$;

-- The provider was told. `p_subscription`: what it calls the subscription; null = it never began, and there is none.
create function netra.told_subscription(p_org uuid, p_checkout uuid, p_subscription text, p_told text, p_usd numeric,
                                        p_version int) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  update netra.payment_subscription s
     set subscription_ref = coalesce(s.subscription_ref, p_subscription), told = p_told, told_usd = p_usd,
         told_version = p_version, told_at = now(), failed_at = null,
         state = case when p_subscription is null then 'ended' else s.state end,
         ended_at = case when p_subscription is null then now() else s.ended_at end
   where s.org_id = p_org and s.checkout_id = p_checkout and s.state <> 'ended';
end
$$;

-- The provider could not be told; it is tried again some minutes later.
create function netra.postpone_telling(p_org uuid, p_checkout uuid) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  update netra.payment_subscription s set failed_at = now() where s.org_id = p_org and s.checkout_id = p_checkout;
end
$$;

-- What a provider's payment paid; no row if it is not known.
create index payment_ref on netra.payment (provider, provider_ref);
create function netra.payment_of_ref(p_provider text, p_provider_ref text)
  returns table (org_id uuid, payment_id uuid, purchase_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
  select y.org_id, y.payment_id, y.purchase_id from netra.payment y
   where y.provider = p_provider and y.provider_ref = p_provider_ref and y.kind = 'payment'
$$;

-- Whose it is that a notice names; null if there is none.
create function netra.org_of_checkout(p_checkout uuid) returns uuid
  language sql stable security definer set search_path = pg_catalog as $$
  select c.org_id from netra.plan_checkout c where c.checkout_id = p_checkout
$$;
create function netra.org_of_invoice(p_invoice uuid) returns uuid
  language sql stable security definer set search_path = pg_catalog as $$
  select i.org_id from netra.invoice i where i.invoice_id = p_invoice
$$;
create function netra.checkout_of_subscription(p_provider text, p_subscription text)
  returns table (org_id uuid, checkout_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
  select s.org_id, s.checkout_id from netra.payment_subscription s
   where s.provider = p_provider and s.subscription_ref = p_subscription
$$;
create function netra.is_payment_customer(p_provider text, p_customer text) returns boolean
  language sql stable security definer set search_path = pg_catalog as $$
  select exists (select from netra.payment_customer c where c.provider = p_provider and c.customer_ref = p_customer)
$$;

-- A notice about a page, held against ours: same organisation, page, customer, currency and amount. Null = it is what it
-- says; else why it is not. Null for p_session and p_usd: any.
create function netra.doubt_notice(p_org uuid, p_provider text, p_session text, p_usd numeric, p_notice jsonb)
  returns text
  language sql stable as $$
  select case
    when p_org::text is distinct from p_notice ->> 'org' then 'names another organisation'
    when p_session is distinct from coalesce(p_notice ->> 'session', '') and p_session is not null
      then 'names another checkout'
    when not exists (select from netra.payment_customer c where c.org_id = p_org and c.provider = p_provider
                        and c.customer_ref = p_notice ->> 'customer')
      then 'names another customer'
    when p_notice ->> 'currency' is distinct from 'usd' then 'is in another currency'
    when p_usd is not null and (p_notice ->> 'amount_cents')::numeric is distinct from p_usd * 100
      then format('is over %s cents; %s USD were asked for', p_notice ->> 'amount_cents', p_usd)
  end
$$;

-- What a notice about a purchase comes to. `received` = not yet: our own row is still to come.
create function netra.take_purchase_notice(p_provider text, p_notice jsonb, out state text, out note text)
  language plpgsql as $$
declare
  v_id uuid := (p_notice ->> 'id')::uuid;
  v_org uuid := netra.org_of_purchase(v_id);
  v_purchase netra.credit_purchase;
begin
  if v_org is null then
    state := 'received';
    note := 'waits for its purchase';
    return;
  end if;
  perform netra.enter_org(v_org);
  v_purchase := netra.lock_purchase(v_org, v_id);
  note := netra.doubt_notice(v_org, p_provider, coalesce(v_purchase.provider_ref, ''), v_purchase.total_usd, p_notice);
  state := case when note is null then 'processed' else 'flagged' end;
  if note is not null then return; end if;
  note := '';
  if p_notice ->> 'kind' = 'page_paid' then
    if v_purchase.state in ('pending', 'paid') then
      perform netra.settle_purchase(v_org, v_id, p_provider, p_notice ->> 'payment', v_purchase.total_usd, p_provider,
        p_notice ->> 'session');
    elsif v_purchase.state = 'cancelled' then
      -- The money is there, whatever becomes of it.
      insert into netra.payment (org_id, payment_id, kind, purchase_id, amount_usd, provider, provider_ref, note,
        recorded_by)
      values (v_org, gen_random_uuid(), 'payment', v_id, v_purchase.total_usd, p_provider, p_notice ->> 'payment',
        'after it was cancelled', p_provider)
      on conflict do nothing;
      state := 'flagged';
      note := 'paid after it was cancelled: send the money back, or grant the credits';
    end if;
    if v_purchase.state in ('paid', 'refunded') and not exists (
      select from netra.payment y where y.org_id = v_org and y.purchase_id = v_id and y.kind = 'payment'
         and y.provider = p_provider and y.provider_ref = p_notice ->> 'payment') then
      state := 'flagged';
      note := 'was paid before by another payment: the money may have come twice';
    end if;
  elsif v_purchase.state = 'pending' then
    perform netra.cancel_purchase(v_org, v_id);
    if p_notice ->> 'kind' = 'page_failed' then
      perform netra.emit_webhook(v_org, 'payment.failed', v_id::text, jsonb_build_object('purchase', v_id,
        'total_usd', v_purchase.total_usd::text));
    end if;
  end if;
end
$$;

-- What a notice about the page of a plan comes to. Paid: the plan begins, and the provider is to collect each month from
-- now on in place of whatever it collected before.
create function netra.take_plan_notice(p_provider text, p_notice jsonb, out state text, out note text)
  language plpgsql as $$
declare
  v_id uuid := (p_notice ->> 'id')::uuid;
  v_org uuid := netra.org_of_checkout(v_id);
  v_checkout netra.plan_checkout;
begin
  if v_org is null then
    state := 'received';
    note := 'waits for its checkout';
    return;
  end if;
  perform netra.enter_org(v_org);
  select * into strict v_checkout from netra.plan_checkout c
   where c.org_id = v_org and c.checkout_id = v_id for no key update;
  note := netra.doubt_notice(v_org, p_provider, v_checkout.provider_ref, v_checkout.first_usd, p_notice);
  state := case when note is null then 'processed' else 'flagged' end;
  if note is not null then return; end if;
  note := '';
  if p_notice ->> 'kind' <> 'page_paid' then
    if v_checkout.state = 'pending' then
      update netra.plan_checkout c set state = 'ended' where c.org_id = v_org and c.checkout_id = v_id;
      if p_notice ->> 'kind' = 'page_failed' then
        perform netra.emit_webhook(v_org, 'payment.failed', v_id::text, jsonb_build_object('checkout', v_id,
          'plan', v_checkout.plan_id, 'total_usd', v_checkout.first_usd::text));
      end if;
    end if;
    return;
  end if;
  insert into netra.payment (org_id, payment_id, kind, checkout_id, amount_usd, provider, provider_ref, note, recorded_by)
  values (v_org, gen_random_uuid(), 'payment', v_id, v_checkout.first_usd, p_provider, p_notice ->> 'payment',
    p_notice ->> 'session', p_provider)
  on conflict do nothing;
  if not found then return; end if;
  if v_checkout.state <> 'pending' then
    state := 'flagged';
    note := format('paid when its checkout was %s: send the money back', v_checkout.state);
    return;
  end if;
  perform netra.begin_paid_plan(v_checkout);
  if not exists (select from netra.subscription s
                  where s.org_id = v_org and s.ended_at is null and s.plan_id = v_checkout.plan_id) then
    state := 'flagged';
    note := 'paid for a plan that is below the present one';
  end if;
end
$$;

create function netra.begin_paid_plan(p_checkout netra.plan_checkout) returns void
  language plpgsql as $$
begin
  update netra.payment_subscription s set replaced = true
   where s.org_id = p_checkout.org_id and s.state <> 'ended' and not s.replaced;
  insert into netra.payment_subscription (org_id, checkout_id, provider)
  values (p_checkout.org_id, p_checkout.checkout_id, p_checkout.provider);
  update netra.plan_checkout c set state = 'paid', paid_at = now()
   where c.org_id = p_checkout.org_id and c.checkout_id = p_checkout.checkout_id;
  perform netra.change_plan(p_checkout.org_id, p_checkout.plan_id);
  perform netra.use_plan_money(p_checkout.org_id);
end
$$;

-- What a notice about the page of an invoice comes to: what came is recorded, however much.
create function netra.take_invoice_notice(p_provider text, p_notice jsonb, out state text, out note text)
  language plpgsql as $$
declare
  v_id uuid := (p_notice ->> 'id')::uuid;
  v_org uuid := netra.org_of_invoice(v_id);
  v_paid record;
begin
  state := 'flagged';
  note := 'names no invoice of ours';
  if v_org is null then return; end if;
  perform netra.enter_org(v_org);
  note := netra.doubt_notice(v_org, p_provider, null, null, p_notice);
  if note is not null then return; end if;
  state := 'processed';
  note := '';
  if p_notice ->> 'kind' = 'page_paid' then
    select * into strict v_paid from netra.record_payment(v_org, v_id, (p_notice ->> 'amount_cents')::numeric / 100,
      p_provider, p_notice ->> 'payment', p_provider, p_notice ->> 'session');
    if v_paid.balance_usd::numeric < 0 then
      state := 'flagged';
      note := format('%s USD more came than the invoice had left to pay', -v_paid.balance_usd::numeric);
    end if;
  elsif p_notice ->> 'kind' = 'page_failed' then
    perform netra.emit_webhook(v_org, 'payment.failed', p_notice ->> 'session', jsonb_build_object('invoice', v_id));
  end if;
end
$$;

-- What the provider's subscription did: a month was paid, was not, or there will be none any more.
create function netra.take_subscription_notice(p_provider text, p_notice jsonb, out state text, out note text)
  language plpgsql as $$
declare
  v_known record;
  v_sub netra.payment_subscription;
  v_plan text;
begin
  select * into v_known from netra.checkout_of_subscription(p_provider, p_notice ->> 'subscription');
  if not found then
    state := 'received';
    note := 'waits for its subscription';
    return;
  end if;
  perform netra.enter_org(v_known.org_id);
  select * into strict v_sub from netra.payment_subscription s
   where s.org_id = v_known.org_id and s.checkout_id = v_known.checkout_id for no key update;
  note := case when v_known.org_id::text is distinct from p_notice ->> 'org' then 'names another organisation'
               when p_notice ->> 'currency' <> 'usd' then 'is in another currency' end;
  state := case when note is null then 'processed' else 'flagged' end;
  if note is not null then return; end if;
  note := '';
  case p_notice ->> 'kind'
    when 'month_paid' then
      -- A month that costs nothing moves no money.
      if (p_notice ->> 'amount_cents')::numeric <= 0 then return; end if;
      insert into netra.payment (org_id, payment_id, kind, checkout_id, amount_usd, provider, provider_ref, recorded_by)
      values (v_sub.org_id, gen_random_uuid(), 'payment', v_sub.checkout_id,
        (p_notice ->> 'amount_cents')::numeric / 100, p_provider, p_notice ->> 'payment', p_provider)
      on conflict do nothing;
      if not found then return; end if;
      update netra.payment_subscription s set state = 'active'
       where s.org_id = v_sub.org_id and s.checkout_id = v_sub.checkout_id and s.state = 'past_due';
      perform netra.use_plan_money(v_sub.org_id);
      if v_sub.replaced or v_sub.state = 'ended' then
        state := 'flagged';
        note := 'paid for a plan that was replaced or has ended: send the money back';
      end if;
    when 'month_unpaid' then
      -- Told late, of a month that was paid since: nothing.
      if exists (select from netra.payment y where y.org_id = v_sub.org_id and y.checkout_id = v_sub.checkout_id
                    and y.provider_ref = p_notice ->> 'payment') then return; end if;
      update netra.payment_subscription s set state = 'past_due'
       where s.org_id = v_sub.org_id and s.checkout_id = v_sub.checkout_id and s.state = 'active';
      select c.plan_id into strict v_plan from netra.plan_checkout c
       where c.org_id = v_sub.org_id and c.checkout_id = v_sub.checkout_id;
      perform netra.emit_webhook(v_sub.org_id, 'payment.failed', p_notice ->> 'payment', jsonb_build_object(
        'checkout', v_sub.checkout_id, 'plan', v_plan, 'total_usd',
        ((p_notice ->> 'amount_cents')::numeric / 100)::numeric(14, 2)::text));
    when 'months_ended' then
      if v_sub.state = 'ended' then return; end if;
      update netra.payment_subscription s set state = 'ended', ended_at = now()
       where s.org_id = v_sub.org_id and s.checkout_id = v_sub.checkout_id;
      if v_sub.replaced then return; end if;
      perform netra.grant_period(v_sub.org_id);
      select s.plan_id into strict v_plan from netra.subscription s where s.org_id = v_sub.org_id and s.ended_at is null;
      if v_plan <> p_notice ->> 'fallback' then
        perform netra.cancel_subscription(v_sub.org_id, p_notice ->> 'fallback');
      end if;
  end case;
end
$$;

-- Money was sent back at the provider, by us or there. A purchase is refunded when all of it went; of an invoice or plan
-- what went back is reversed. `amount_cents` is all that went back until then, so that an older notice that comes later
-- writes nothing. A payment that is not known yet may still be told of. Raises conflict while credits of a purchase are
-- on hold: the notice is then taken up again later.
create function netra.take_refund_notice(p_provider text, p_notice jsonb, out state text, out note text)
  language plpgsql as $$
declare
  v_known record;
  v_purchase text;
  v_more_usd numeric;
begin
  state := 'processed';
  note := '';
  select * into v_known from netra.payment_of_ref(p_provider, p_notice ->> 'payment');
  if not found then
    state := 'received';
    note := 'waits for its payment';
    return;
  elsif v_known.org_id::text is distinct from p_notice ->> 'org' then
    state := 'flagged';
    note := 'names another organisation';
    return;
  end if;
  perform netra.enter_org(v_known.org_id);
  select c.state into v_purchase from netra.credit_purchase c
   where c.org_id = v_known.org_id and c.purchase_id = v_known.purchase_id;
  if coalesce(v_purchase, 'cancelled') = 'cancelled' then
    perform netra.lock_plan_money(v_known.org_id);
    select (p_notice ->> 'amount_cents')::numeric / 100 + coalesce(sum(y.amount_usd), 0) into v_more_usd
      from netra.payment y where y.org_id = v_known.org_id and y.reverses = v_known.payment_id;
    if v_more_usd > 0 then
      perform netra.reverse_payment(v_known.org_id, v_known.payment_id, v_more_usd,
        format('%s:%s', p_notice ->> 'refund', p_notice ->> 'amount_cents'), p_provider, '');
    end if;
  elsif (p_notice ->> 'whole')::boolean is not true then
    state := 'flagged';
    note := 'sent back in part: only a whole purchase is taken back by itself';
  else
    perform netra.begin_refund(v_known.org_id, v_known.purchase_id, 'sent back by ' || p_provider);
    perform netra.finish_refund(v_known.org_id, v_known.purchase_id, p_notice ->> 'refund', p_provider, '');
  end if;
end
$$;

-- Does what a stored event asks for, once, in this transaction; whoever comes second finds it done. p_notice is what the
-- event says, in our words. Answers with the state that the event is in now. One that waits is flagged after a day.
create function netra.apply_payment_notice(p_provider text, p_event text, p_notice jsonb) returns text
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_event netra.payment_event;
  v_state text;
  v_note text;
begin
  select * into v_event from netra.payment_event e
   where e.provider = p_provider and e.event_id = p_event for no key update;
  if not found then perform netra.refuse('not_found', 'There is no such event.'); end if;
  if v_event.state <> 'received' then return v_event.state; end if;
  case
    when p_notice ->> 'kind' like 'page_%' and p_notice ->> 'of' = 'purchase' then
      select t.state, t.note into strict v_state, v_note from netra.take_purchase_notice(p_provider, p_notice) t;
    when p_notice ->> 'kind' like 'page_%' and p_notice ->> 'of' = 'plan' then
      select t.state, t.note into strict v_state, v_note from netra.take_plan_notice(p_provider, p_notice) t;
    when p_notice ->> 'kind' like 'page_%' and p_notice ->> 'of' = 'invoice' then
      select t.state, t.note into strict v_state, v_note from netra.take_invoice_notice(p_provider, p_notice) t;
    when p_notice ->> 'kind' like 'month%' then
      select t.state, t.note into strict v_state, v_note from netra.take_subscription_notice(p_provider, p_notice) t;
    when p_notice ->> 'kind' = 'payment_refunded' then
      select t.state, t.note into strict v_state, v_note from netra.take_refund_notice(p_provider, p_notice) t;
    when p_notice ->> 'kind' = 'customer_refunded' then
      v_state := case when netra.is_payment_customer(p_provider, p_notice ->> 'customer') then 'flagged' else 'ignored' end;
      v_note := format('money went back to %s for no purchase, plan page or invoice of ours: if it paid for a month of a plan, '
                       'reverse that payment', p_notice ->> 'customer');
    when p_notice ->> 'kind' = 'flagged' then
      v_state := 'flagged';
      v_note := p_notice ->> 'note';
    else
      v_state := 'ignored';
      v_note := coalesce(p_notice ->> 'note', '');
  end case;
  if v_state = 'received' and v_event.received_at < now() - interval '1 day' then v_state := 'flagged'; end if;
  update netra.payment_event e
     set state = v_state, note = v_note, attempts = e.attempts + 1,
         processed_at = case when v_state <> 'received' then now() end,
         next_at = now() + least(power(2, least(e.attempts, 10)), 60) * interval '1 minute'
   where e.provider = p_provider and e.event_id = p_event;
  return v_state;
end
$$;

-- An event could not be taken up now; it is due again later, and flagged when that has gone on for three days.
create function netra.postpone_payment_event(p_provider text, p_event text, p_note text) returns void
  language sql security definer set search_path = pg_catalog as $$
  update netra.payment_event e
     set attempts = e.attempts + 1, note = left(p_note, 500),
         state = case when e.received_at < now() - interval '3 days' then 'flagged' else 'received' end,
         processed_at = case when e.received_at < now() - interval '3 days' then now() end,
         next_at = now() + least(power(2, least(e.attempts, 10)), 60) * interval '1 minute'
   where e.provider = p_provider and e.event_id = p_event and e.state = 'received'
$$;

-- Events that are still to be taken up, oldest first. Drops what was ignored a month ago.
create function netra.due_payment_events(p_provider text, p_limit int) returns table (event_id text, body text)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  delete from netra.payment_event e where e.state = 'ignored' and e.received_at < now() - interval '30 days';
  return query
  select e.event_id, e.body from netra.payment_event e
   where e.provider = p_provider and e.state = 'received' and e.next_at <= now() order by e.next_at limit p_limit;
end
$$;

-- Money against what it paid, over every organisation, read-only. A row is a breach, as in netra.check_books().
create function netra.check_payments()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable security definer set search_path = pg_catalog as $$
  select c.org_id, 'M5', format('purchase %s that is %s', c.purchase_id, c.state),
         format('paid %s, granted %s', c.total_usd, c.credits_micro),
         format('paid %s, granted %s', coalesce(y.paid_usd, 0), coalesce(g.granted_micro, 0))
    from netra.credit_purchase c
    left join (select p.org_id, p.purchase_id, sum(p.amount_usd) as paid_usd from netra.payment p
                where p.kind = 'payment' group by 1, 2) y
      on y.org_id = c.org_id and y.purchase_id = c.purchase_id
    left join netra.credit_grant g on g.org_id = c.org_id and g.grant_id = c.grant_id
   where c.state in ('paid', 'refunded') and (y.paid_usd is distinct from c.total_usd
                                              or g.granted_micro is distinct from c.credits_micro)
  union all
  select i.org_id, 'M5', format('invoice %s that is %s', i.number, i.state),
         case i.state when 'paid' then 'nothing to pay' else 'something to pay' end,
         netra.invoice_balance(i.org_id, i.invoice_id)::text
    from netra.invoice i
   where i.state in ('open', 'paid') and i.kind = 'invoice'
     and (i.state = 'paid') <> (netra.invoice_balance(i.org_id, i.invoice_id) <= 0)
  union all
  select y.org_id, 'M5', format('payment %s, used for invoices or sent back', y.payment_id), 'not more than came',
         netra.unused_of_payment(y.org_id, y.payment_id)::text
    from netra.payment y
   where y.kind = 'payment' and netra.unused_of_payment(y.org_id, y.payment_id) < 0
$$;

do $$
declare
  v_function regprocedure;
begin
  -- An owner who is not a superuser must be a member to hand functions over.
  if not (select rolsuper from pg_roles where rolname = current_user) then
    execute format('grant netra_system to %I', current_user);
  end if;
  grant create on schema netra to netra_system;
  for v_function in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'netra' and p.proname in ('keep_pack', 'packs_on_sale', 'purchase_terms', 'quote_purchase',
       'same_purchase', 'open_purchase', 'lock_purchase', 'refuse_purchase', 'settle_purchase', 'cancel_purchase',
       'begin_refund', 'finish_refund', 'store_payment_event', 'keep_payment_customer', 'record_payment',
       'balance_invoice', 'lock_plan_money', 'use_plan_money', 'pay_new_invoice', 'reverse_payment',
       'change_unpaid_plan', 'reactivate_unpaid_plan', 'quote_plan_checkout', 'open_plan_checkout', 'told_subscription',
       'postpone_telling',
       'doubt_notice', 'take_purchase_notice', 'take_plan_notice', 'begin_paid_plan', 'take_invoice_notice',
       'take_subscription_notice', 'take_refund_notice', 'apply_payment_notice', 'postpone_payment_event',
       'due_payment_events')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_ledger', v_function);
  end loop;
  for v_function in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'netra' and p.proname in ('org_of_purchase', 'org_of_checkout', 'org_of_invoice',
       'payment_of_ref', 'checkout_of_subscription', 'is_payment_customer', 'list_purchases', 'list_payments',
       'list_payment_events', 'subscriptions_to_tell', 'check_payments')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_system', v_function);
  end loop;
  revoke create on schema netra from netra_system;
end
$$;
grant execute on function netra.org_of_purchase(uuid), netra.org_of_checkout(uuid), netra.org_of_invoice(uuid),
  netra.payment_of_ref(text, text), netra.checkout_of_subscription(text, text), netra.is_payment_customer(text, text)
  to netra_ledger;
-- Read-only sums, asked by whoever may see the rows.
revoke execute on function netra.invoice_balance(uuid, uuid), netra.unused_of_payment(uuid, uuid) from public;
grant execute on function netra.invoice_balance(uuid, uuid), netra.unused_of_payment(uuid, uuid)
  to netra_app, netra_ledger, netra_system;
grant execute on function netra.keep_pack(text, timestamptz, text, bigint, numeric, boolean),
  netra.packs_on_sale(timestamptz), netra.quote_purchase(uuid, uuid, text, text, text),
  netra.open_purchase(uuid, uuid, text, timestamptz, text, text, text, text, text),
  netra.settle_purchase(uuid, uuid, text, text, numeric, text, text), netra.cancel_purchase(uuid, uuid),
  netra.begin_refund(uuid, uuid, text), netra.finish_refund(uuid, uuid, text, text, text),
  netra.store_payment_event(text, text, text, text), netra.keep_payment_customer(uuid, text, text),
  netra.record_payment(uuid, uuid, numeric, text, text, text, text), netra.org_of_purchase(uuid),
  netra.list_purchases(text, int), netra.list_payments(uuid, int), netra.list_payment_events(text, int),
  netra.reverse_payment(uuid, uuid, numeric, text, text, text), netra.change_unpaid_plan(uuid, text),
  netra.reactivate_unpaid_plan(uuid), netra.quote_plan_checkout(uuid, uuid, text, text, text),
  netra.open_plan_checkout(uuid, uuid, text, timestamptz, numeric, numeric, text, timestamptz, text, text, text, text[],
    text, text),
  netra.subscriptions_to_tell(text, int), netra.told_subscription(uuid, uuid, text, text, numeric, int),
  netra.postpone_telling(uuid, uuid),
  netra.check_payments(),
  netra.apply_payment_notice(text, text, jsonb), netra.postpone_payment_event(text, text, text),
  netra.due_payment_events(text, int)
  to netra_app, netra_system;
