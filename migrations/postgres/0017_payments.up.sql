-- not breaking: adds packs of credits, their purchase, payments, and the inbox of payment providers
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

-- Money that came in (above zero) or went back (below). Append-only.
create table netra.payment (
  org_id       uuid not null references netra.org (org_id),
  payment_id   uuid not null,
  kind         text not null check (kind in ('payment', 'reversal')),
  -- What it pays; neither = received on account.
  purchase_id  uuid,
  invoice_id   uuid,
  amount_usd   numeric(14, 2) not null,
  provider     text not null,
  -- The provider's payment or refund; of a manual one the reference that the operator gave.
  provider_ref text not null check (length(provider_ref) between 1 and 255),
  note         text not null default '',
  recorded_by  text not null,
  recorded_at  timestamptz not null default now(),
  primary key (org_id, payment_id),
  foreign key (org_id, purchase_id) references netra.credit_purchase (org_id, purchase_id),
  check (amount_usd <> 0 and (kind = 'payment') = (amount_usd > 0)),
  check (purchase_id is null or invoice_id is null)
);
-- One row for each thing that the provider did, whoever tells of it and how often.
create unique index payment_once on netra.payment
  (org_id, provider, provider_ref, kind, coalesce(purchase_id, invoice_id, org_id));
create index payment_purchase on netra.payment (org_id, purchase_id) where purchase_id is not null;
create index payment_invoice on netra.payment (org_id, invoice_id) where invoice_id is not null;
create trigger immutable before update or delete or truncate on netra.payment
  for each statement execute function netra.refuse_rewrite();

do $$
declare
  v_table text;
begin
  foreach v_table in array array['payment_customer', 'credit_purchase', 'payment'] loop
    execute format('alter table netra.%I enable row level security', v_table);
    execute format('alter table netra.%I force row level security', v_table);
    execute format('create policy tenant on netra.%I to netra_app, netra_ledger using (org_id = netra.current_org()) '
                   'with check (org_id = netra.current_org())', v_table);
    execute format('create policy system on netra.%I for select to netra_system using (true)', v_table);
    execute format('grant select on netra.%I to netra_app, netra_system', v_table);
    execute format('grant select, insert%s on netra.%I to netra_ledger',
                   case v_table when 'credit_purchase' then ', update' else '' end, v_table);
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
  insert into netra.payment (org_id, payment_id, kind, purchase_id, amount_usd, provider, provider_ref, note,
    recorded_by)
  select p_org, gen_random_uuid(), 'reversal', p_purchase, -y.amount_usd, y.provider, p_provider_ref, p_note, p_by
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
  on conflict (org_id, provider) do nothing;
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
  v_balance_usd numeric;
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
  v_balance_usd := netra.invoice_balance(p_org, p_invoice);
  if v_invoice.state = 'open' and v_balance_usd <= 0 then
    update netra.invoice i set state = 'paid', paid_at = now()
     where i.org_id = p_org and i.invoice_id = p_invoice returning * into v_invoice;
    perform netra.emit_webhook(p_org, 'invoice.paid', p_invoice::text, jsonb_build_object(
      'invoice', p_invoice, 'number', v_invoice.number, 'total_usd', v_invoice.total_usd::text,
      'balance_usd', v_balance_usd::text));
  end if;
  return query select v_recorded, v_invoice.state, v_balance_usd::text;
end
$$;

-- What is still to pay of an invoice: its due, less credit notes, less payments and plus what went back.
create function netra.invoice_balance(p_org uuid, p_invoice uuid) returns numeric
  language sql stable as $$
  select (select coalesce(sum(i.due_usd), 0) from netra.invoice i
           where i.org_id = p_org and (i.invoice_id = p_invoice or i.corrects = p_invoice))
       - (select coalesce(sum(y.amount_usd), 0) from netra.payment y
           where y.org_id = p_org and y.invoice_id = p_invoice)
$$;

-- Which purchase a payment of a provider paid; no row if it is not known.
create index payment_ref on netra.payment (provider, provider_ref);
create function netra.purchase_of_payment(p_provider text, p_provider_ref text)
  returns table (org_id uuid, purchase_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
  select y.org_id, y.purchase_id from netra.payment y
   where y.provider = p_provider and y.provider_ref = p_provider_ref and y.kind = 'payment'
     and y.purchase_id is not null
$$;

-- A notice about a purchase, held against ours: same organisation, page, customer, currency and amount. Null = it is
-- what it says; else why it is not. The caller has locked the purchase.
create function netra.doubt_notice(p_purchase netra.credit_purchase, p_provider text, p_notice jsonb) returns text
  language sql stable as $$
  select case
    when p_purchase.org_id::text is distinct from p_notice ->> 'org' then 'names another organisation'
    when p_purchase.provider <> p_provider or p_purchase.provider_ref is distinct from p_notice ->> 'session'
      then 'names another checkout'
    when not exists (select from netra.payment_customer c where c.org_id = p_purchase.org_id
                      and c.provider = p_provider and c.customer_ref = p_notice ->> 'customer')
      then 'names another customer'
    when p_notice ->> 'currency' is distinct from 'usd' then 'is in another currency'
    when (p_notice ->> 'amount_cents')::numeric is distinct from p_purchase.total_usd * 100
      then format('is over %s cents; the purchase costs %s USD', p_notice ->> 'amount_cents', p_purchase.total_usd)
  end
$$;

-- What a notice about a purchase comes to. `received` = not yet: our own row is still to come.
create function netra.take_purchase_notice(p_provider text, p_notice jsonb, out state text, out note text)
  language plpgsql as $$
declare
  v_id uuid := (p_notice ->> 'purchase')::uuid;
  v_org uuid := netra.org_of_purchase(v_id);
  v_purchase netra.credit_purchase;
  v_paid record;
begin
  if v_org is null then
    state := 'received';
    note := 'waits for its purchase';
    return;
  end if;
  perform netra.enter_org(v_org);
  v_purchase := netra.lock_purchase(v_org, v_id);
  note := netra.doubt_notice(v_purchase, p_provider, p_notice);
  state := case when note is null then 'processed' else 'flagged' end;
  if note is not null then return; end if;
  note := '';
  if p_notice ->> 'kind' = 'purchase_paid' then
    if v_purchase.state in ('pending', 'paid') then
      select * into strict v_paid from netra.settle_purchase(v_org, v_id, p_provider, p_notice ->> 'payment',
        v_purchase.total_usd, p_provider, p_notice ->> 'session');
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
    if p_notice ->> 'kind' = 'purchase_failed' then
      perform netra.emit_webhook(v_org, 'payment.failed', v_id::text, jsonb_build_object('purchase', v_id,
        'total_usd', v_purchase.total_usd::text));
    end if;
  end if;
end
$$;

-- A whole payment was sent back at the provider, by us or there: the purchase is refunded. A payment that is not known
-- yet may still be told of. Raises conflict while credits are on hold: the notice is then taken up again later.
create function netra.take_refund_notice(p_provider text, p_notice jsonb, out state text, out note text)
  language plpgsql as $$
declare
  v_known record;
begin
  select * into v_known from netra.purchase_of_payment(p_provider, p_notice ->> 'payment');
  if not found then
    state := 'received';
    note := 'waits for its payment';
  elsif (p_notice ->> 'whole')::boolean is not true then
    state := 'flagged';
    note := 'sent back in part: only a whole payment is taken back by itself';
  elsif v_known.org_id::text is distinct from p_notice ->> 'org' then
    state := 'flagged';
    note := 'names another organisation';
  else
    perform netra.begin_refund(v_known.org_id, v_known.purchase_id, 'sent back by ' || p_provider);
    perform netra.finish_refund(v_known.org_id, v_known.purchase_id, p_notice ->> 'refund', p_provider, '');
    state := 'processed';
    note := '';
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
  case p_notice ->> 'kind'
    when 'purchase_paid', 'purchase_failed', 'purchase_expired' then
      select t.state, t.note into strict v_state, v_note from netra.take_purchase_notice(p_provider, p_notice) t;
    when 'payment_refunded' then
      select t.state, t.note into strict v_state, v_note from netra.take_refund_notice(p_provider, p_notice) t;
    when 'flagged' then
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
       'invoice_balance', 'doubt_notice', 'take_purchase_notice', 'take_refund_notice', 'apply_payment_notice',
       'postpone_payment_event', 'due_payment_events')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_ledger', v_function);
  end loop;
  for v_function in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'netra' and p.proname in ('org_of_purchase', 'purchase_of_payment', 'list_purchases',
       'list_payment_events')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_system', v_function);
  end loop;
  revoke create on schema netra from netra_system;
end
$$;
grant execute on function netra.org_of_purchase(uuid), netra.purchase_of_payment(text, text) to netra_ledger;
grant execute on function netra.keep_pack(text, timestamptz, text, bigint, numeric, boolean),
  netra.packs_on_sale(timestamptz), netra.quote_purchase(uuid, uuid, text, text, text),
  netra.open_purchase(uuid, uuid, text, timestamptz, text, text, text, text, text),
  netra.settle_purchase(uuid, uuid, text, text, numeric, text, text), netra.cancel_purchase(uuid, uuid),
  netra.begin_refund(uuid, uuid, text), netra.finish_refund(uuid, uuid, text, text, text),
  netra.store_payment_event(text, text, text, text), netra.keep_payment_customer(uuid, text, text),
  netra.record_payment(uuid, uuid, numeric, text, text, text, text), netra.org_of_purchase(uuid),
  netra.list_purchases(text, int), netra.list_payment_events(text, int),
  netra.apply_payment_notice(text, text, jsonb), netra.postpone_payment_event(text, text, text),
  netra.due_payment_events(text, int)
  to netra_app, netra_system;
