-- not breaking: adds sellers, billing profiles, tax rates, invoices, their lines and the rounding account
-- An invoice is written once, in one transaction, and never again: its number is drawn last, under the seller's row
-- lock, so that a series has no gap whatever is rolled back; a correction is a document of its own. What it bills is
-- read from the ledger and from the charges of the subscription, as the difference to what earlier documents billed of
-- the same thing. So a settlement that came late is on the next invoice, and a repeat finds nothing to bill.
--
-- Dollars: `exact_usd` is what a line comes to, `net_usd` that half-even to the cent, and the difference is kept in
-- netra.rounding. Tax is taken from the rounded net, and rounded the same way.

create table netra.seller (
  seller_id      text primary key check (seller_id ~ '^[a-z][a-z0-9_-]{0,31}$'),
  name           text not null check (length(name) between 1 and 200),
  address        text not null check (length(address) between 1 and 500),
  country        text not null check (country ~ '^[A-Z]{2}$'),
  tax_id         text check (length(tax_id) between 1 and 40),
  -- Numbers are PREFIX-000001, those of credit notes PREFIX-CN-000001: no prefix may read as the other series'.
  number_prefix  text not null unique check (number_prefix ~ '^[A-Z0-9][A-Z0-9-]{0,18}$' and number_prefix !~ '(-|CN)$'),
  currency       text not null default 'USD' check (currency = 'USD'),
  terms_days     smallint not null default 14 check (terms_days between 0 and 365),
  notes          text not null default '' check (length(notes) <= 2000),
  -- The one that invoices are issued by; an installation that changes hands gets a new seller, with series of its own.
  current        boolean not null,
  invoices       int not null default 0 check (invoices >= 0),
  credit_notes   int not null default 0 check (credit_notes >= 0),
  created_at     timestamptz not null default now()
);
create unique index seller_current on netra.seller (current) where current;

-- Every number that was given out. A series runs through all organisations, so it is kept by the seller: the keys of
-- tenant tables begin with the organisation, and could not say that a number is one.
create table netra.drawn_number (
  seller_id text not null references netra.seller (seller_id),
  kind      text not null check (kind in ('invoice', 'credit_note')),
  serial    int not null check (serial > 0),
  number    text not null unique,
  primary key (seller_id, kind, serial)
);

create table netra.tax_rate (
  country    text not null check (country ~ '^[A-Z]{2}$'),
  valid_from date not null,
  -- A fraction: 0.21 is 21 %.
  rate       numeric(6, 4) not null check (rate >= 0 and rate < 1),
  name       text not null check (length(name) between 1 and 40),
  -- In the VAT area of the European Union: between two of its states a business accounts for the tax itself.
  eu         boolean not null,
  -- Who says so, and when somebody compared it with the law; null = nobody has.
  source     text not null check (length(source) between 1 and 200),
  checked_on date,
  primary key (country, valid_from)
);

-- Standard rates as this release believes them to be on 1 January 2026, written down from memory and compared with no
-- tax office's list. An operator checks them before the first invoice (docs/invoices.md).
insert into netra.tax_rate (country, valid_from, rate, name, eu, source)
select r.country, '2026-01-01', r.percent / 100, r.name, r.eu, 'shipped with Netra, unchecked'
  from (values
    ('AT', 20.0, 'VAT', true), ('BE', 21, 'VAT', true), ('BG', 20, 'VAT', true), ('HR', 25, 'VAT', true),
    ('CY', 19, 'VAT', true), ('CZ', 21, 'VAT', true), ('DK', 25, 'VAT', true), ('EE', 24, 'VAT', true),
    ('FI', 25.5, 'VAT', true), ('FR', 20, 'VAT', true), ('DE', 19, 'VAT', true), ('GR', 24, 'VAT', true),
    ('HU', 27, 'VAT', true), ('IE', 23, 'VAT', true), ('IT', 22, 'VAT', true), ('LV', 21, 'VAT', true),
    ('LT', 21, 'VAT', true), ('LU', 17, 'VAT', true), ('MT', 18, 'VAT', true), ('NL', 21, 'VAT', true),
    ('PL', 23, 'VAT', true), ('PT', 23, 'VAT', true), ('RO', 21, 'VAT', true), ('SK', 23, 'VAT', true),
    ('SI', 22, 'VAT', true), ('ES', 21, 'VAT', true), ('SE', 25, 'VAT', true),
    ('GB', 20, 'VAT', false), ('CH', 8.1, 'VAT', false), ('LI', 8.1, 'VAT', false), ('NO', 25, 'VAT', false),
    ('IS', 24, 'VAT', false)
  ) r (country, percent, name, eu);

create table netra.billing_profile (
  org_id     uuid primary key references netra.org (org_id),
  name       text not null check (length(name) between 1 and 200),
  address    text not null check (length(address) between 1 and 500),
  country    text not null check (country ~ '^[A-Z]{2}$'),
  -- Checked for its form and its country before it is written; where there is none, the buyer is a consumer.
  vat_id     text check (vat_id ~ '^[A-Z0-9]{2,20}$'),
  email      text check (length(email) between 3 and 254),
  updated_at timestamptz not null default now()
);

-- What is to be invoiced next, and when: one row a subscription, and one under the nil id for an organisation that has
-- bought credits without any. It is the queue (by period_end) and the watermark.
create table netra.invoice_schedule (
  org_id          uuid not null,
  subscription_id uuid not null,
  period_index    int not null default 0,
  period_start    timestamptz not null,
  period_end      timestamptz not null,
  -- The end of the last period that was invoiced or found empty, and when that was looked at.
  invoiced_until  timestamptz,
  invoiced_at     timestamptz,
  primary key (org_id, subscription_id)
);
create index invoice_schedule_due on netra.invoice_schedule (period_end) where period_end < 'infinity';

create table netra.invoice (
  org_id          uuid not null references netra.org (org_id),
  invoice_id      uuid not null,
  kind            text not null check (kind in ('invoice', 'credit_note')),
  seller_id       text not null references netra.seller (seller_id),
  serial          int not null check (serial > 0),
  number          text not null,
  subscription_id uuid,
  period_index    int,
  period_start    timestamptz,
  period_end      timestamptz,
  -- A credit note: the invoice that it corrects, and why. One that closes a period with more to give back than to bill
  -- corrects no single invoice.
  corrects        uuid,
  reason          text,
  issued_at       timestamptz not null default now(),
  due_at          timestamptz not null,
  -- Both parties as they were then.
  seller          jsonb not null,
  buyer           jsonb not null,
  currency        text not null,
  net_usd         numeric(14, 2) not null,
  tax_usd         numeric(14, 2) not null,
  total_usd       numeric(14, 2) not null check (total_usd = net_usd + tax_usd),
  prepaid_usd     numeric(14, 2) not null,
  due_usd         numeric(14, 2) not null check (due_usd = total_usd - prepaid_usd),
  state           text not null check (state in ('open', 'paid', 'credited', 'issued')),
  paid_at         timestamptz,
  -- Of all that the document says, its lines included; not of state and paid_at.
  hash            bytea not null,
  primary key (org_id, invoice_id),
  unique (org_id, seller_id, kind, serial),
  foreign key (org_id, corrects) references netra.invoice (org_id, invoice_id),
  -- Credit notes are not paid, they are issued; their amounts are negative.
  check ((kind = 'credit_note') = (state = 'issued')),
  check (kind = 'invoice' and total_usd >= 0 or kind = 'credit_note' and total_usd <= 0),
  check (corrects is null or kind = 'credit_note' and reason is not null)
);
-- For an operator who has a number and no organisation, and for the series' check.
create index invoice_number on netra.invoice (number);
create index invoice_series on netra.invoice (seller_id, kind, serial);
create unique index invoice_period on netra.invoice (org_id, subscription_id, period_index) where corrects is null;
create index invoice_newest on netra.invoice (org_id, issued_at desc, invoice_id desc);
create index invoice_corrections on netra.invoice (org_id, corrects) where corrects is not null;

create table netra.invoice_line (
  org_id        uuid not null,
  invoice_id    uuid not null,
  line          int not null check (line > 0),
  kind          text not null check (kind in ('base', 'upgrade', 'overage', 'purchase', 'credit')),
  description   text not null,
  quantity      numeric,
  unit_usd      numeric,
  exact_usd     numeric not null,
  net_usd       numeric(14, 2) not null,
  tax_rate      numeric(6, 4) not null,
  tax_name      text not null,
  tax_note      text not null,
  exact_tax_usd numeric not null,
  tax_usd       numeric(14, 2) not null,
  -- What it bills.
  charge_id     uuid,
  grant_id      uuid,
  agent         text,
  amount_micro  bigint,
  purchase_id   uuid,
  -- A credit note's line: which line of the invoice it corrects.
  corrects_line int,
  primary key (org_id, invoice_id, line),
  foreign key (org_id, invoice_id) references netra.invoice (org_id, invoice_id) deferrable initially deferred
);
create unique index invoice_line_charge on netra.invoice_line (org_id, charge_id) where charge_id is not null;
create index invoice_line_grant on netra.invoice_line (org_id, grant_id, agent) where grant_id is not null;
create index invoice_line_purchase on netra.invoice_line (org_id, purchase_id) where purchase_id is not null;

-- The rounding account: what each line's rounding kept back (+) or added (−).
create table netra.rounding (
  org_id     uuid not null,
  invoice_id uuid not null,
  line       int not null,
  net_usd    numeric not null,
  tax_usd    numeric not null,
  primary key (org_id, invoice_id, line),
  foreign key (org_id, invoice_id, line) references netra.invoice_line (org_id, invoice_id, line),
  check (abs(net_usd) <= 0.005 and abs(tax_usd) <= 0.005)
);

-- What was spent of a grant is read by its receipts.
create index hold_grant_of_grant on netra.hold_grant (org_id, grant_id);
create index hold_grant_refunded on netra.hold_grant (org_id, grant_id) where refunded_micro > 0;

do $$
declare
  v_table text;
begin
  foreach v_table in array array['billing_profile', 'invoice_schedule', 'invoice', 'invoice_line', 'rounding'] loop
    execute format('alter table netra.%I enable row level security', v_table);
    execute format('alter table netra.%I force row level security', v_table);
    execute format('create policy tenant on netra.%I to netra_app, netra_ledger using (org_id = netra.current_org()) '
                   'with check (org_id = netra.current_org())', v_table);
    execute format('create policy system on netra.%I for select to netra_system using (true)', v_table);
    execute format('grant select on netra.%I to netra_app, netra_system', v_table);
    execute format('grant select, insert on netra.%I to netra_ledger', v_table);
  end loop;
end
$$;
grant update on netra.billing_profile, netra.invoice_schedule, netra.tax_rate to netra_ledger;
grant update (state, paid_at) on netra.invoice to netra_ledger;
grant select on netra.seller, netra.tax_rate to netra_app, netra_system;
grant select, insert, update on netra.seller to netra_ledger;
grant select on netra.drawn_number to netra_system;
grant insert on netra.drawn_number to netra_ledger;
grant select, insert on netra.tax_rate to netra_ledger;
-- An invoice without a billing profile is made out to the organisation's name.
create policy ledger on netra.org for select to netra_ledger using (org_id = netra.current_org());
grant select on netra.org to netra_ledger;

-- Issued is issued: only that it was paid or credited may still be written.
create function netra.guard_invoice() returns trigger
  language plpgsql as $$
begin
  if to_jsonb(new) - array['state', 'paid_at'] is distinct from to_jsonb(old) - array['state', 'paid_at']
     or new.state <> old.state and (old.state, new.state) not in (('open', 'paid'), ('paid', 'open'),
                                                                  ('open', 'credited'), ('paid', 'credited')) then
    raise exception 'netra.invoice is immutable: correct an invoice with a credit note'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
create trigger immutable before update on netra.invoice for each row execute function netra.guard_invoice();
create trigger kept before delete or truncate on netra.invoice
  for each statement execute function netra.refuse_rewrite();
create trigger immutable before update or delete or truncate on netra.invoice_line
  for each statement execute function netra.refuse_rewrite();
create trigger immutable before update or delete or truncate on netra.drawn_number
  for each statement execute function netra.refuse_rewrite();
create trigger immutable before update or delete or truncate on netra.rounding
  for each statement execute function netra.refuse_rewrite();

-- The lines are written before their invoice, which ends the list.
create function netra.guard_invoice_line() returns trigger
  language plpgsql as $$
begin
  if exists (select from netra.invoice i where i.org_id = new.org_id and i.invoice_id = new.invoice_id) then
    raise exception 'this invoice has been issued: it takes no further line' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
create trigger closed before insert on netra.invoice_line for each row execute function netra.guard_invoice_line();

-- What a document says, as one hash. Named column by column, in a form that no setting of a session changes.
create function netra.hash_document(p_invoice netra.invoice) returns bytea
  language sql stable as $$
  select sha256(convert_to(jsonb_build_array(
    p_invoice.org_id, p_invoice.invoice_id, p_invoice.kind, p_invoice.seller_id, p_invoice.serial, p_invoice.number,
    p_invoice.subscription_id, p_invoice.period_index, extract(epoch from p_invoice.period_start),
    extract(epoch from p_invoice.period_end), p_invoice.corrects, p_invoice.reason,
    extract(epoch from p_invoice.issued_at), extract(epoch from p_invoice.due_at), p_invoice.seller, p_invoice.buyer,
    p_invoice.currency, p_invoice.net_usd, p_invoice.tax_usd, p_invoice.total_usd, p_invoice.prepaid_usd,
    p_invoice.due_usd,
    (select jsonb_agg(jsonb_build_array(l.line, l.kind, l.description, l.quantity, l.unit_usd, l.exact_usd, l.net_usd,
              l.tax_rate, l.tax_name, l.tax_note, l.exact_tax_usd, l.tax_usd, l.charge_id, l.grant_id, l.agent,
              l.amount_micro, l.purchase_id, l.corrects_line) order by l.line)
       from netra.invoice_line l where l.org_id = p_invoice.org_id and l.invoice_id = p_invoice.invoice_id)
  )::text, 'UTF8'))
$$;
create function netra.hash_invoice() returns trigger
  language plpgsql as $$
begin
  new.hash := netra.hash_document(new);
  return new;
end
$$;
create trigger hashed before insert on netra.invoice for each row execute function netra.hash_invoice();

-- Half-even to the cent. PostgreSQL's round() takes ties away from zero.
create function netra.half_even(p_usd numeric) returns numeric
  language sql immutable strict parallel safe as $$
  select (case when abs(p_usd * 100 - trunc(p_usd * 100)) = 0.5 and trunc(p_usd * 100) % 2 = 0
               then trunc(p_usd * 100) else round(p_usd * 100) end * 0.01)::numeric(14, 2)
$$;

-- The rate in force in a country; no row where none is configured.
create function netra.tax_rate_of(p_country text, p_on date) returns netra.tax_rate
  language sql stable as $$
  select r from netra.tax_rate r where r.country = p_country and r.valid_from <= p_on order by r.valid_from desc limit 1
$$;

-- What the organisation's purchases are taxed with: `rate` is a fraction, `note` the words that the invoice must carry.
create or replace function netra.tax_of(p_org uuid, p_at timestamptz)
  returns table (rate numeric, name text, note text)
  language plpgsql volatile security definer set search_path = pg_catalog as $$
declare
  v_seller netra.seller;
  v_buyer netra.billing_profile;
  v_on date := (p_at at time zone 'UTC')::date;
  v_there netra.tax_rate;
  v_here netra.tax_rate;
begin
  perform netra.enter_org(p_org);
  select * into v_seller from netra.seller s where s.current;
  if not found then
    return query select 0::numeric, 'no tax', '';
    return;
  end if;
  select * into v_buyer from netra.billing_profile b where b.org_id = p_org;
  v_here := netra.tax_rate_of(v_seller.country, v_on);
  -- Nobody has said where the buyer is: taxed as at home, never too little.
  if coalesce(v_buyer.country, v_seller.country) = v_seller.country then
    return query select coalesce(v_here.rate, 0), coalesce(v_here.name, 'no tax'), '';
    return;
  end if;
  v_there := netra.tax_rate_of(v_buyer.country, v_on);
  if v_here.eu and v_there.eu then
    if v_buyer.vat_id is not null then
      return query select 0::numeric, 'reverse charge',
        'Reverse charge: VAT is to be accounted for by the recipient (Articles 44 and 196, Directive 2006/112/EC).';
    else
      -- A consumer in another member state pays that state's tax (Article 58; one-stop shop).
      return query select v_there.rate, v_there.name, '';
    end if;
  else
    return query select 0::numeric, 'export', format(
      'Supplied to a customer outside %s: not subject to tax there.',
      case when v_here.eu then 'the European Union' else v_seller.country end);
  end if;
end
$$;

-- Period `p_index` of a subscription as an invoice sees it: cut short where the subscription ended within it. After
-- the end the months go on, for what is settled or refunded late.
create function netra.scheduled_period(p_sub netra.subscription, p_index int, out period_start timestamptz,
                                       out period_end timestamptz)
  language plpgsql stable as $$
begin
  period_start := netra.period_start_of(p_sub.anchor_at, p_index);
  period_end := netra.period_start_of(p_sub.anchor_at, p_index + 1);
  if p_sub.ended_at > period_start and p_sub.ended_at < period_end then period_end := p_sub.ended_at; end if;
end
$$;

-- Keeps the schedule where the subscription is: it is new, its months were moved, or it ended. Runs as whoever changes
-- the subscription, in the tenant that they are in.
create function netra.schedule_invoices() returns trigger
  language plpgsql as $$
begin
  insert into netra.invoice_schedule (org_id, subscription_id, period_index, period_start, period_end)
  values (new.org_id, new.subscription_id, new.period_index, new.period_start, new.period_end)
  on conflict (org_id, subscription_id) do nothing;
  update netra.invoice_schedule i set (period_start, period_end) =
    (select p.period_start, p.period_end from netra.scheduled_period(new, i.period_index) p)
   where i.org_id = new.org_id and i.subscription_id = new.subscription_id and i.period_end < 'infinity';
  return null;
end
$$;
create trigger invoices after insert or update of anchor_at, ended_at on netra.subscription
  for each row execute function netra.schedule_invoices();
insert into netra.invoice_schedule (org_id, subscription_id, period_index, period_start, period_end)
select s.org_id, s.subscription_id, s.period_index, s.period_start, s.period_end
  from netra.subscription s where s.ended_at is null;

-- What stands in for the subscription of an organisation that has none: calendar months (UTC), until one begins.
create function netra.no_subscription(p_org uuid) returns netra.subscription
  language plpgsql stable as $$
declare
  v_sub netra.subscription;
begin
  v_sub.org_id := p_org;
  v_sub.subscription_id := '00000000-0000-0000-0000-000000000000';
  v_sub.anchor_at := '2000-01-01Z';
  v_sub.ended_at := (select min(s.created_at) from netra.subscription s where s.org_id = p_org);
  return v_sub;
end
$$;

-- Credits were bought: where no subscription has a schedule, that of the calendar month.
create function netra.schedule_purchase() returns trigger
  language plpgsql as $$
declare
  v_months int := (extract(year from now() at time zone 'UTC') - 2000) * 12
    + extract(month from now() at time zone 'UTC') - 1;
begin
  insert into netra.invoice_schedule (org_id, subscription_id, period_index, period_start, period_end)
  select s.org_id, s.subscription_id, v_months, p.period_start, p.period_end
    from netra.no_subscription(new.org_id) s cross join lateral netra.scheduled_period(s, v_months) p
   where not exists (select from netra.invoice_schedule i where i.org_id = new.org_id and i.period_end < 'infinity')
  on conflict (org_id, subscription_id) do nothing;
  return null;
end
$$;

-- Organisations with a period that has closed, those that wait longest first. None without a seller.
create function netra.orgs_to_invoice(p_limit int) returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
  select d.org_id from (
    select i.org_id, min(i.period_end) as since from (
      select s.org_id, s.period_end from netra.invoice_schedule s
       where s.period_end <= now() and exists (select from netra.seller where current)
       order by s.period_end limit p_limit) i
    group by 1) d
   order by d.since
$$;

-- The next number of a series. The row stays locked until the transaction ends, so whoever rolls back gives the number
-- to the next in line: drawn last, that the line is short.
create function netra.draw_number(p_seller text, p_kind text, out serial int, out number text)
  language plpgsql as $$
declare
  v_seller netra.seller;
begin
  update netra.seller s set invoices = s.invoices + (p_kind = 'invoice')::int,
                            credit_notes = s.credit_notes + (p_kind = 'credit_note')::int
   where s.seller_id = p_seller returning * into strict v_seller;
  serial := case p_kind when 'invoice' then v_seller.invoices else v_seller.credit_notes end;
  number := v_seller.number_prefix || case p_kind when 'invoice' then '-' else '-CN-' end
    || lpad(serial::text, greatest(6, length(serial::text)), '0');
  insert into netra.drawn_number (seller_id, kind, serial, number)
  values (p_seller, p_kind, draw_number.serial, draw_number.number);
end
$$;

create function netra.seller_as_printed(p_seller netra.seller) returns jsonb
  language sql stable as $$
  select jsonb_build_object('name', p_seller.name, 'address', p_seller.address, 'country', p_seller.country,
                            'tax_id', p_seller.tax_id, 'notes', p_seller.notes)
$$;

create function netra.buyer_as_printed(p_org uuid) returns jsonb
  language sql stable as $$
  select jsonb_build_object('name', coalesce(b.name, o.name), 'address', b.address, 'country', b.country,
                            'vat_id', b.vat_id, 'email', b.email)
    from netra.org o left join netra.billing_profile b using (org_id) where o.org_id = p_org
$$;

-- Charges of the subscription that no document carries. `p_until`: what began before it.
create function netra.charges_to_bill(p_org uuid, p_subscription uuid, p_until timestamptz)
  returns table (kind text, at timestamptz, description text, exact_usd numeric, charge_id uuid, tax_rate numeric,
                 tax_name text, tax_note text)
  language plpgsql as $$
begin
  return query
  select c.kind, c.period_start, c.description, c.exact_usd, c.charge_id, x.rate, x.name, x.note
    from netra.subscription_charge c cross join lateral netra.tax_of(p_org, least(c.period_end, p_until)) x
   where c.org_id = p_org and c.subscription_id = p_subscription and c.exact_usd <> 0 and c.period_start < p_until
     and not exists (select from netra.invoice_line l where l.org_id = p_org and l.charge_id = c.charge_id);
end
$$;

-- The tax of what was spent of a grant by an agent: as on the document that billed it first.
create function netra.overage_tax(p_org uuid, p_grant uuid, p_agent text, p_at timestamptz)
  returns table (rate numeric, name text, note text)
  language plpgsql as $$
begin
  return query
  select l.tax_rate::numeric, l.tax_name, l.tax_note
    from netra.invoice_line l join netra.invoice i using (org_id, invoice_id)
   where l.org_id = p_org and l.grant_id = p_grant and l.agent = p_agent and l.kind = 'overage'
   order by i.issued_at, i.invoice_id limit 1;
  if not found then return query select t.rate, t.name, t.note from netra.tax_of(p_org, p_at) t; end if;
end
$$;

-- What was spent beyond the balance in periods that began before `p_until`, by grant and agent, less what earlier
-- documents billed of the same. Negative where it was refunded since. A correction keeps the tax of what it corrects.
create function netra.overage_to_bill(p_org uuid, p_until timestamptz)
  returns table (at timestamptz, agent text, grant_id uuid, usd_credit numeric, amount_micro bigint, tax_rate numeric,
                 tax_name text, tax_note text)
  language plpgsql as $$
begin
  return query
  with billed as materialized (
    select b.grant_id, b.agent, sum(b.amount_micro) as micro
      from netra.invoice_line b
     where b.org_id = p_org and b.kind = 'overage' group by 1, 2
  ), line as materialized (
    -- Receipts are read of the grants alone of which something is to bill: years of others are not.
    select g.grant_id, coalesce(g.period_start, g.effective_at) as at, g.usd_credit, least(g.expires_at, p_until) as until
      from netra.credit_grant g
     where g.org_id = p_org and g.source = 'overage' and coalesce(g.period_start, g.effective_at) < p_until
       and (g.spent_micro <> coalesce((select sum(b.micro) from billed b where b.grant_id = g.grant_id), 0)
            -- The same sum may have gone from one agent to another only where something was refunded.
            or exists (select from netra.hold_grant r
                        where r.org_id = p_org and r.grant_id = g.grant_id and r.refunded_micro > 0))
  ), used as materialized (
    -- Grant by grant: the planner does not know how few they are.
    select n.grant_id, r.agent, r.micro
      from line n cross join lateral (
        select coalesce(h.agent, 'other') as agent, sum(k.spent_micro - k.refunded_micro) as micro
          from netra.hold_grant k join netra.hold h on h.org_id = k.org_id and h.hold_id = k.hold_id
         where k.org_id = p_org and k.grant_id = n.grant_id group by 1) r
  )
  select n.at, u.agent, n.grant_id, n.usd_credit, (u.micro - coalesce(b.micro, 0))::bigint, x.rate, x.name, x.note
    from used u join line n using (grant_id) left join billed b on b.grant_id = u.grant_id and b.agent = u.agent
   cross join lateral netra.overage_tax(p_org, u.grant_id, u.agent, n.until) x
   where u.micro <> coalesce(b.micro, 0);
end
$$;

-- Credits that were bought and paid before `p_until` and are on no document yet, as they were taxed when they were
-- bought; and purchases that were given back after they were billed, with what is left of their line.
create function netra.purchases_to_bill(p_org uuid, p_until timestamptz)
  returns table (at timestamptz, credits_micro bigint, net_usd numeric, tax_usd numeric, purchase_id uuid,
                 tax_rate numeric, tax_name text, tax_note text)
  language plpgsql as $$
begin
  -- Purchases come with the next migration.
  if to_regclass('netra.credit_purchase') is null then return; end if;
  return query
  with billed as (
    select l.purchase_id, sum(l.net_usd) as net_usd, sum(l.tax_usd) as tax_usd, min(l.tax_name) as tax_name,
           min(l.tax_note) as tax_note
      from netra.invoice_line l where l.org_id = p_org and l.purchase_id is not null group by 1
  )
  select p.paid_at, p.credits_micro, p.net_usd::numeric, p.tax_usd::numeric, p.purchase_id, p.tax_rate::numeric,
         p.tax_name, p.tax_note
    from netra.credit_purchase p
   where p.org_id = p_org and p.state = 'paid' and p.paid_at < p_until
     and not exists (select from billed b where b.purchase_id = p.purchase_id)
  union all
  select p.paid_at, -p.credits_micro, -b.net_usd, -b.tax_usd, p.purchase_id, p.tax_rate::numeric, b.tax_name, b.tax_note
    from netra.credit_purchase p join billed b on b.purchase_id = p.purchase_id
   where p.org_id = p_org and p.state = 'refunded' and (b.net_usd, b.tax_usd) <> (0, 0);
end
$$;

-- Writes the lines of the document `p_invoice`: everything that is to bill until the end of the period. Returns how
-- many. A credit is 10⁶ micro-credits: ×0.000001 is exact where a division need not be.
create function netra.write_lines(p_org uuid, p_invoice uuid, p_due netra.invoice_schedule, p_until timestamptz)
  returns int
  language plpgsql as $$
declare
  v_lines int;
begin
  with line as (
    select case c.kind when 'base' then 1 else 2 end as place, c.kind, c.at, c.description, null::numeric as quantity,
           null::numeric as unit_usd, c.exact_usd, c.tax_rate, c.tax_name, c.tax_note, null::numeric as tax_usd,
           c.charge_id, null::uuid as grant_id, null::text as agent, null::bigint as micro, null::uuid as purchase_id
      from netra.charges_to_bill(p_org, p_due.subscription_id, p_until) c
    union all
    select 3, 'overage', o.at,
           format(case when o.amount_micro < 0 then 'Refunded credits beyond the plan: %s agent, period from %s'
                       else 'Credits beyond the plan: %s agent, period from %s' end,
                  o.agent, to_char(o.at at time zone 'UTC', 'YYYY-MM-DD')),
           o.amount_micro * 0.000001, o.usd_credit, o.amount_micro * 0.000001 * o.usd_credit, o.tax_rate, o.tax_name,
           o.tax_note, null, null, o.grant_id, o.agent, o.amount_micro, null
      from netra.overage_to_bill(p_org, p_until) o
    union all
    select 4, 'purchase', b.at,
           case when b.credits_micro < 0 then 'Credits bought and given back' else 'Credits bought' end
             || to_char(b.at at time zone 'UTC', ' YYYY-MM-DD'),
           b.credits_micro * 0.000001, null, b.net_usd, b.tax_rate, b.tax_name, b.tax_note, b.tax_usd, null, null, null,
           null, b.purchase_id
      from netra.purchases_to_bill(p_org, p_due.period_end) b
  ), rounded as (
    select l.*, netra.half_even(l.exact_usd) as net_usd from line l
  )
  insert into netra.invoice_line (org_id, invoice_id, line, kind, description, quantity, unit_usd, exact_usd, net_usd,
    tax_rate, tax_name, tax_note, exact_tax_usd, tax_usd, charge_id, grant_id, agent, amount_micro, purchase_id)
  select p_org, p_invoice, row_number() over (order by r.place, r.at, r.agent, r.charge_id, r.grant_id, r.purchase_id),
         r.kind, r.description, r.quantity, r.unit_usd, r.exact_usd, r.net_usd, r.tax_rate, r.tax_name, r.tax_note,
         -- The tax of a purchase was settled with it; what a credit note left of one need not be net × rate.
         case when r.tax_usd <> netra.half_even(r.net_usd * r.tax_rate) then r.tax_usd
              else r.net_usd * r.tax_rate end,
         coalesce(r.tax_usd, netra.half_even(r.net_usd * r.tax_rate)),
         r.charge_id, r.grant_id, r.agent, r.micro, r.purchase_id
    from rounded r;
  get diagnostics v_lines = row_count;
  perform netra.keep_rounding(p_org, p_invoice);
  return v_lines;
end
$$;

create function netra.keep_rounding(p_org uuid, p_invoice uuid) returns void
  language sql as $$
  insert into netra.rounding (org_id, invoice_id, line, net_usd, tax_usd)
  select l.org_id, l.invoice_id, l.line, l.exact_usd - l.net_usd, l.exact_tax_usd - l.tax_usd
    from netra.invoice_line l
   where l.org_id = p_org and l.invoice_id = p_invoice
     and (l.exact_usd <> l.net_usd or l.exact_tax_usd <> l.tax_usd)
$$;

-- Ends a document: adds its lines up, draws its number, tells the organisation. More to give back than to bill makes it
-- a credit note. p_due: the period that it is for; p_corrects: the invoice that it corrects, with p_reason.
create function netra.close_invoice(p_org uuid, p_invoice uuid, p_seller netra.seller, p_due netra.invoice_schedule,
                                    p_corrects uuid, p_reason text)
  returns netra.invoice
  language plpgsql as $$
declare
  v_sum record;
  v_number record;
  v_kind text;
  v_due_usd numeric;
  v_invoice netra.invoice;
begin
  select sum(l.net_usd) as net_usd, sum(l.tax_usd) as tax_usd,
         coalesce(sum(l.net_usd + l.tax_usd) filter (where l.kind = 'purchase'), 0) as prepaid_usd into strict v_sum
    from netra.invoice_line l where l.org_id = p_org and l.invoice_id = p_invoice;
  v_kind := case when p_corrects is not null or v_sum.net_usd + v_sum.tax_usd < 0 then 'credit_note' else 'invoice' end;
  v_due_usd := v_sum.net_usd + v_sum.tax_usd - v_sum.prepaid_usd;
  v_number := netra.draw_number(p_seller.seller_id, v_kind);
  insert into netra.invoice (org_id, invoice_id, kind, seller_id, serial, number, subscription_id, period_index,
    period_start, period_end, corrects, reason, due_at, seller, buyer, currency, net_usd, tax_usd, total_usd,
    prepaid_usd, due_usd, state, paid_at)
  values (p_org, p_invoice, v_kind, p_seller.seller_id, v_number.serial, v_number.number, p_due.subscription_id,
    p_due.period_index, p_due.period_start, p_due.period_end, p_corrects, p_reason,
    now() + make_interval(days => case v_kind when 'invoice' then p_seller.terms_days else 0 end),
    netra.seller_as_printed(p_seller),
    coalesce((select i.buyer from netra.invoice i where i.org_id = p_org and i.invoice_id = p_corrects),
             netra.buyer_as_printed(p_org)), p_seller.currency, v_sum.net_usd, v_sum.tax_usd,
    v_sum.net_usd + v_sum.tax_usd, v_sum.prepaid_usd, v_due_usd,
    case when v_kind = 'credit_note' then 'issued' when v_due_usd <= 0 then 'paid' else 'open' end,
    case when v_kind = 'invoice' and v_due_usd <= 0 then now() end)
  returning * into v_invoice;
  perform netra.emit_webhook(p_org, 'invoice.issued', p_invoice::text, jsonb_build_object(
    'invoice', p_invoice, 'number', v_invoice.number, 'kind', v_kind, 'corrects', p_corrects,
    'period_start', p_due.period_start, 'period_end', p_due.period_end, 'currency', v_invoice.currency,
    'net_usd', v_invoice.net_usd::text, 'tax_usd', v_invoice.tax_usd::text, 'total_usd', v_invoice.total_usd::text,
    'due_usd', v_invoice.due_usd::text, 'due_at', v_invoice.due_at));
  return v_invoice;
end
$$;

-- Invoices the organisation's oldest period that has closed: one document, or none where there is nothing to bill.
-- A row says that a period was dealt with; no row, that none was due. Safe to call at any time, concurrently.
create function netra.issue_invoice(p_org uuid)
  returns table (invoice_id uuid, number text, period_end timestamptz, total_usd numeric)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_seller netra.seller;
  v_due netra.invoice_schedule;
  v_sub netra.subscription;
  v_id uuid := gen_random_uuid();
  v_invoice netra.invoice;
begin
  perform netra.enter_org(p_org);
  select * into v_seller from netra.seller s where s.current;
  if not found then return; end if;
  -- A subscription that nobody looked at since has periods to roll, and with them charges to write.
  perform netra.grant_period(p_org);
  perform from netra.invoice_schedule i where i.org_id = p_org order by i.subscription_id for update;
  select * into v_due from netra.invoice_schedule i
   where i.org_id = p_org and i.period_end <= now() order by i.period_end, i.subscription_id limit 1;
  if not found then return; end if;
  select * into v_sub from netra.subscription s
   where s.org_id = p_org and s.subscription_id = v_due.subscription_id;
  if not found then v_sub := netra.no_subscription(p_org); end if;

  perform netra.move_schedule(v_due, v_sub);
  if netra.write_lines(p_org, v_id, v_due, least(v_due.period_end, coalesce(v_sub.ended_at, 'infinity'))) > 0 then
    if exists (select from netra.invoice_line l
                where l.org_id = p_org and l.invoice_id = v_id and l.kind = 'purchase') then
      update netra.credit_purchase p set invoice_id = v_id
        from netra.invoice_line l
       where l.org_id = p_org and l.invoice_id = v_id and p.org_id = p_org and p.purchase_id = l.purchase_id
         and p.invoice_id is null;
    end if;
    v_invoice := netra.close_invoice(p_org, v_id, v_seller, v_due, null, null);
  end if;
  return query select v_invoice.invoice_id, v_invoice.number, v_due.period_end, v_invoice.total_usd::numeric;
end
$$;

-- The next period is due at its end. Of a subscription that ended, nothing more is due once another has followed it.
create function netra.move_schedule(p_due netra.invoice_schedule, p_sub netra.subscription) returns void
  language plpgsql as $$
declare
  v_next record := netra.scheduled_period(p_sub, p_due.period_index + 1);
begin
  update netra.invoice_schedule i
     set period_index = p_due.period_index + 1, period_start = v_next.period_start,
         period_end = case when p_sub.ended_at <= v_next.period_start and exists (
             select from netra.subscription s where s.org_id = p_sub.org_id and s.ended_at is null)
           then 'infinity' else v_next.period_end end,
         invoiced_until = p_due.period_end, invoiced_at = now()
   where i.org_id = p_due.org_id and i.subscription_id = p_due.subscription_id;
end
$$;

-- What a credit note may still take from each line of an invoice.
create function netra.open_lines(p_org uuid, p_invoice uuid)
  returns table (line int, net_usd numeric, tax_usd numeric)
  language sql stable as $$
  select l.line, greatest(0, l.net_usd + coalesce(c.net_usd, 0)), greatest(0, l.tax_usd + coalesce(c.tax_usd, 0))
    from netra.invoice_line l
    left join (select n.corrects_line, sum(n.net_usd) as net_usd, sum(n.tax_usd) as tax_usd
                 from netra.invoice i join netra.invoice_line n using (org_id, invoice_id)
                where i.org_id = p_org and i.corrects = p_invoice group by 1) c on c.corrects_line = l.line
   where l.org_id = p_org and l.invoice_id = p_invoice
$$;

-- Splits what is to be credited over the lines: `p_lines` = [{"line": 1, "net_usd": "5.00"}, {"line": 2}], where a line
-- without an amount is taken whole; or `p_net_usd`, taken from the lines in their order. A line that is taken whole
-- takes the rest of its tax with it, so that two halves and one whole come to the same.
create function netra.split_credit(p_org uuid, p_invoice uuid, p_lines jsonb, p_net_usd numeric)
  returns table (line int, net_usd numeric, tax_usd numeric, exact_tax_usd numeric)
  language plpgsql as $$
begin
  return query
  with open_line as (
    select o.*, sum(o.net_usd) over (order by o.line rows unbounded preceding) as upto_usd
      from netra.open_lines(p_org, p_invoice) o
  ), asked as (
    select o.line, case when p_lines is null then least(o.net_usd, greatest(0, p_net_usd - (o.upto_usd - o.net_usd)))
                        else coalesce((a.entry ->> 'net_usd')::numeric, o.net_usd) end as net_usd
      from open_line o left join jsonb_array_elements(p_lines) a (entry) on (a.entry ->> 'line')::int = o.line
     where p_lines is null or a.entry is not null
  )
  select a.line, a.net_usd, case when a.net_usd = o.net_usd then o.tax_usd
           else least(o.tax_usd, netra.half_even(a.net_usd * l.tax_rate)) end,
         case when a.net_usd = o.net_usd then o.tax_usd
           else least(o.tax_usd, a.net_usd * l.tax_rate) end
    from asked a join open_line o using (line)
    join netra.invoice_line l on l.org_id = p_org and l.invoice_id = p_invoice and l.line = a.line
   where a.net_usd <> 0;
end
$$;

-- Refuses a correction that asks for nothing, for a line that is not there, or for more than a line still has.
create function netra.refuse_credit(p_org uuid, p_invoice uuid, p_lines jsonb, p_net_usd numeric) returns void
  language plpgsql as $$
declare
  v_open jsonb := (select jsonb_object_agg(o.line, o.net_usd::text) from netra.open_lines(p_org, p_invoice) o);
  v_open_usd numeric := (select sum(o.net_usd) from netra.open_lines(p_org, p_invoice) o);
begin
  if (p_lines is null) = (p_net_usd is null) or p_net_usd <= 0 or p_net_usd <> round(p_net_usd, 2)
     or jsonb_array_length(p_lines) = 0
     or exists (select from jsonb_array_elements(p_lines) e (entry)
                 group by e.entry ->> 'line'
                having count(*) > 1 or min((e.entry ->> 'net_usd')::numeric) <= 0
                    or min((e.entry ->> 'net_usd')::numeric) <> round(min((e.entry ->> 'net_usd')::numeric), 2)) then
    perform netra.refuse('invalid_request',
      'A correction names lines, each once, or an amount: more than zero, in whole cents.');
  end if;
  if p_net_usd > v_open_usd
     or exists (select from jsonb_array_elements(p_lines) e (entry)
                  left join netra.open_lines(p_org, p_invoice) o on o.line = (e.entry ->> 'line')::int
                 where o.line is null or o.net_usd = 0 or (e.entry ->> 'net_usd')::numeric > o.net_usd) then
    perform netra.refuse('conflict', 'This is more than the invoice has left there; net amounts that are left: '
      || coalesce((select string_agg(format('line %s %s', l.key, l.value), ', ' order by l.key::int)
                     from jsonb_each_text(v_open) l), 'none') || '.', jsonb_build_object('left_usd', v_open));
  end if;
end
$$;

-- Corrects an issued invoice by a credit note `p_note` (its id is the key: the same again answers the same note).
-- Refuses not_found, and conflict with what is left where more is asked than a line, or the invoice, still has.
create function netra.credit_invoice(p_org uuid, p_invoice uuid, p_note uuid, p_lines jsonb, p_net_usd numeric,
                                     p_reason text)
  returns table (invoice_id uuid, number text, total_usd numeric)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_invoice netra.invoice;
  v_note netra.invoice;
  v_seller netra.seller;
  v_left_usd numeric;
begin
  perform netra.enter_org(p_org);
  select * into v_invoice from netra.invoice i
   where i.org_id = p_org and i.invoice_id = p_invoice and i.kind = 'invoice' for update;
  if not found then perform netra.refuse('not_found', 'There is no such invoice.'); end if;
  select * into v_note from netra.invoice i where i.org_id = p_org and i.invoice_id = p_note;
  if not found then
    perform netra.refuse_credit(p_org, p_invoice, p_lines, p_net_usd);
    insert into netra.invoice_line (org_id, invoice_id, line, kind, description, exact_usd, net_usd, tax_rate, tax_name,
      tax_note, exact_tax_usd, tax_usd, purchase_id, corrects_line)
    select p_org, p_note, row_number() over (order by c.line), 'credit',
           format('Correction of line %s: %s', c.line, l.description), -c.net_usd, -c.net_usd, l.tax_rate, l.tax_name,
           l.tax_note, -c.exact_tax_usd, -c.tax_usd, l.purchase_id, c.line
      from netra.split_credit(p_org, p_invoice, p_lines, p_net_usd) c
      join netra.invoice_line l on l.org_id = p_org and l.invoice_id = p_invoice and l.line = c.line;
    perform netra.keep_rounding(p_org, p_note);
    -- By the seller that issued it, whoever sells now.
    select * into strict v_seller from netra.seller s where s.seller_id = v_invoice.seller_id;
    v_note := netra.close_invoice(p_org, p_note, v_seller, null, p_invoice, p_reason);
    v_left_usd := netra.left_of_invoice(p_org, p_invoice);
    if v_left_usd < 0 then
      -- Only where the invoice has negative lines too: its positive ones are together worth more than it is.
      perform netra.refuse('conflict', format('This is %s more than the whole invoice has left.', -v_left_usd));
    elsif v_left_usd = 0 then
      update netra.invoice i set state = 'credited' where i.org_id = p_org and i.invoice_id = p_invoice;
    elsif v_invoice.state = 'open' and to_regclass('netra.payment') is not null then
      -- A part was paid before, and the note took back the rest. Payments come with the next migration.
      update netra.invoice i set state = 'paid', paid_at = now()
       where i.org_id = p_org and i.invoice_id = p_invoice and netra.invoice_balance(p_org, p_invoice) <= 0;
    end if;
  end if;
  return query select v_note.invoice_id, v_note.number, v_note.total_usd::numeric;
end
$$;

-- What credit notes have left of an invoice, tax included.
create function netra.left_of_invoice(p_org uuid, p_invoice uuid) returns numeric
  language sql stable as $$
  select sum(i.total_usd) from netra.invoice i
   where i.org_id = p_org and (i.invoice_id = p_invoice or i.corrects = p_invoice)
$$;

-- Makes or changes a seller, and makes it the one that sells. A series keeps its prefix once it has begun.
create function netra.set_seller(p_seller text, p_name text, p_address text, p_country text, p_tax_id text,
                                 p_number_prefix text, p_terms_days int, p_notes text)
  returns void
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_known netra.seller;
begin
  update netra.seller s set current = false where s.current and s.seller_id <> p_seller;
  select * into v_known from netra.seller s where s.seller_id = p_seller for update;
  if v_known.number_prefix <> p_number_prefix and v_known.invoices + v_known.credit_notes > 0 then
    perform netra.refuse('conflict', format(
      'Seller %s has issued numbers that begin with %s: another series is another seller.', p_seller,
      v_known.number_prefix));
  elsif exists (select from netra.seller s where s.number_prefix = p_number_prefix and s.seller_id <> p_seller) then
    perform netra.refuse('conflict', 'Another seller has this prefix.');
  end if;
  insert into netra.seller as s (seller_id, name, address, country, tax_id, number_prefix, terms_days, notes, current)
  values (p_seller, p_name, p_address, p_country, p_tax_id, p_number_prefix, p_terms_days, p_notes, true)
  on conflict (seller_id) do update
     set name = p_name, address = p_address, country = p_country, tax_id = p_tax_id, number_prefix = p_number_prefix,
         terms_days = p_terms_days, notes = p_notes, current = true;
end
$$;

-- Adds dated rates, all or none; returns how many were new or changed. One that is in force already is never changed:
-- something may have been taxed by it. A rate changes by a row with a later date. Who says so and when it was checked
-- may be added at any time.
create function netra.import_tax_rates(p_rates jsonb) returns int
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_row record;
  v_rows int;
begin
  for v_row in
    select n.country, n.valid_from from jsonb_to_recordset(p_rates) n (country text, valid_from date, rate numeric,
                                                                       name text, eu boolean)
      join netra.tax_rate r on r.country = n.country and r.valid_from = n.valid_from
     where (r.rate, r.name, r.eu) is distinct from (n.rate, n.name, n.eu)
       and r.valid_from <= (now() at time zone 'UTC')::date
     order by 1, 2 limit 1
  loop
    perform netra.refuse('conflict', format('The rate of %s from %s is in force: add one with a later date.',
      v_row.country, v_row.valid_from));
  end loop;
  insert into netra.tax_rate as r (country, valid_from, rate, name, eu, source, checked_on)
  select n.country, n.valid_from, n.rate, n.name, n.eu, n.source, n.checked_on
    from jsonb_to_recordset(p_rates) n (country text, valid_from date, rate numeric, name text, eu boolean, source text,
                                        checked_on date)
  on conflict (country, valid_from) do update
     set rate = excluded.rate, name = excluded.name, eu = excluded.eu, source = excluded.source,
         checked_on = excluded.checked_on
   where (r.rate, r.name, r.eu, r.source, r.checked_on)
     is distinct from (excluded.rate, excluded.name, excluded.eu, excluded.source, excluded.checked_on);
  get diagnostics v_rows = row_count;
  return v_rows;
end
$$;

-- Whom the organisation's invoices are made out to, from the next one on.
create function netra.set_billing_profile(p_org uuid, p_name text, p_address text, p_country text, p_vat_id text,
                                          p_email text)
  returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  insert into netra.billing_profile (org_id, name, address, country, vat_id, email)
  values (p_org, p_name, p_address, p_country, p_vat_id, p_email)
  on conflict (org_id) do update set name = p_name, address = p_address, country = p_country, vat_id = p_vat_id,
     email = p_email, updated_at = now();
end
$$;

-- For the operator: documents of every organisation, newest first; of one number, organisation or state where given.
create function netra.find_invoices(p_number text, p_org uuid, p_state text, p_limit int)
  returns table (org_id uuid, invoice_id uuid, number text, kind text, state text, issued_at timestamptz,
                 due_at timestamptz, total_usd numeric, due_usd numeric, buyer_name text)
  language sql stable security definer set search_path = pg_catalog as $$
  select i.org_id, i.invoice_id, i.number, i.kind, i.state, i.issued_at, i.due_at, i.total_usd, i.due_usd,
         i.buyer ->> 'name'
    from netra.invoice i
   where (p_number is null or i.number = p_number) and (p_org is null or i.org_id = p_org)
     and (p_state is null or i.state = p_state)
   order by i.issued_at desc, i.invoice_id desc limit p_limit
$$;

-- M5 over what the caller may see (one organisation for netra_app in a tenant), read-only: a document says what it said
-- when it was issued, its lines are its total, and the total is the ledger. A row is a breach, as in
-- netra.check_books().
create function netra.check_seen_invoices()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language plpgsql stable as $$
begin
  return query
  with line as (
    select l.org_id, l.invoice_id, count(*) as lines, max(l.line) as last, sum(l.net_usd) as net_usd,
           sum(l.tax_usd) as tax_usd,
           coalesce(sum(l.net_usd + l.tax_usd) filter (where l.kind = 'purchase'), 0) as prepaid_usd,
           count(*) filter (where l.kind <> 'credit' and (l.net_usd <> netra.half_even(l.exact_usd)
             or l.kind <> 'purchase' and (l.exact_tax_usd <> l.net_usd * l.tax_rate
                                          or l.tax_usd <> netra.half_even(l.exact_tax_usd)))) as wrong,
           count(*) filter (where l.kind = 'overage'
                              and l.exact_usd <> l.amount_micro * 0.000001 * l.unit_usd) as mispriced
      from netra.invoice_line l group by 1, 2
  )
  select coalesce(i.org_id, l.org_id), 'M5', c.what || ' of ' || coalesce(i.number, 'a document that is not there'),
         c.expected::text, c.found::text
    from netra.invoice i full join line l using (org_id, invoice_id)
   cross join lateral (values
     ('lines', coalesce(l.lines, 0) * (i.invoice_id is not null)::int, coalesce(l.lines, 0)),
     ('sum of the lines = net', coalesce(l.net_usd, 0), coalesce(i.net_usd, 0)),
     ('sum of the lines'' tax = tax', coalesce(l.tax_usd, 0), coalesce(i.tax_usd, 0)),
     ('net + tax = total', coalesce(i.net_usd + i.tax_usd, 0), coalesce(i.total_usd, 0)),
     ('total - prepaid = due', coalesce(i.total_usd - i.prepaid_usd, 0), coalesce(i.due_usd, 0)),
     ('prepaid = lines of purchases', coalesce(l.prepaid_usd, 0), coalesce(i.prepaid_usd, 0)),
     ('last line = number of lines', coalesce(l.last, 0), coalesce(l.lines, 0)),
     ('lines that are not half-even', 0, coalesce(l.wrong, 0)),
     ('lines of overage that are not amount × price', 0, coalesce(l.mispriced, 0))
   ) c (what, expected, found)
   where c.expected <> c.found
  union all
  select i.org_id, 'M5', 'what ' || i.number || ' says = what it said when it was issued', encode(i.hash, 'hex'),
         encode(netra.hash_document(i), 'hex')
    from netra.invoice i where i.hash <> netra.hash_document(i);

  return query
  select r.org_id, 'M5', 'rows of the rounding account that are not exact - rounded', '0', count(*)::text
    from (select coalesce(l.org_id, k.org_id) as org_id, coalesce(l.exact_usd - l.net_usd, 0) as net_kept,
                 coalesce(l.exact_tax_usd - l.tax_usd, 0) as tax_kept, coalesce(k.net_usd, 0) as net_usd,
                 coalesce(k.tax_usd, 0) as tax_usd
            from netra.invoice_line l full join netra.rounding k using (org_id, invoice_id, line)) r
   where (r.net_kept, r.tax_kept) <> (r.net_usd, r.tax_usd)
   group by 1;

  return query
  select i.org_id, 'M5', 'what credit notes left of ' || i.number, 'not below 0', c.left_usd::text
    from netra.invoice i
    left join (select n.org_id, n.corrects, sum(n.total_usd) as total_usd from netra.invoice n
                where n.corrects is not null group by 1, 2) s on s.org_id = i.org_id and s.corrects = i.invoice_id
   cross join lateral (select i.total_usd + coalesce(s.total_usd, 0) as left_usd) c
   where i.kind = 'invoice'
     and (c.left_usd < 0 or (c.left_usd = 0 and s.total_usd is not null) <> (i.state = 'credited'));

  return query select * from netra.check_seen_billed();
end
$$;

-- The half of M5 that compares with the ledger, for periods that were invoiced. What moved since the last look at the
-- organisation is the next document's; an hour of slack, since a movement carries the time that its transaction began.
create function netra.check_seen_billed()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language plpgsql stable as $$
begin
  return query
  with done as (
    select s.org_id, max(s.invoiced_until) as until, max(s.invoiced_at) as at
      from netra.invoice_schedule s where s.invoiced_at is not null group by 1
  ), billed as (
    select l.org_id, l.grant_id, sum(l.amount_micro) as micro from netra.invoice_line l
     where l.kind = 'overage' group by 1, 2
  )
  select g.org_id, 'M5', 'billed of grant ' || g.grant_id || ' = spent', g.spent_micro::text,
         coalesce(b.micro, 0)::text
    from netra.credit_grant g join done d on d.org_id = g.org_id
    left join billed b on b.org_id = g.org_id and b.grant_id = g.grant_id
   where g.source = 'overage' and coalesce(g.period_start, g.effective_at) < d.until
     and g.spent_micro <> coalesce(b.micro, 0)
     and not exists (
       select from netra.hold_grant r join netra.transfer t on t.org_id = r.org_id and t.hold_id = r.hold_id
        where r.org_id = g.org_id and r.grant_id = g.grant_id and t.at > d.at - interval '1 hour'
          and t.kind in ('capture', 'settle', 'refund', 'overage'));

  return query
  select c.org_id, 'M5', 'charge ' || c.charge_id || ' is billed', c.exact_usd::text, coalesce(l.exact_usd, 0)::text
    from netra.subscription_charge c
    join netra.invoice_schedule s on s.org_id = c.org_id and s.subscription_id = c.subscription_id
    left join netra.invoice_line l on l.org_id = c.org_id and l.charge_id = c.charge_id
   where c.period_start < s.invoiced_until and c.at < s.invoiced_at and c.exact_usd <> coalesce(l.exact_usd, 0);

  if to_regclass('netra.credit_purchase') is null then return; end if;
  return query
  select p.org_id, 'M5', format('purchase %s is billed', p.purchase_id), p.net_usd::text,
         coalesce(l.sold_usd, 0)::text
    from netra.credit_purchase p
    join (select s.org_id, max(s.invoiced_until) as until, max(s.invoiced_at) as at from netra.invoice_schedule s
           where s.invoiced_at is not null group by 1) d on d.org_id = p.org_id
    left join (select n.org_id, n.purchase_id, sum(n.net_usd) as sold_usd from netra.invoice_line n
                where n.kind = 'purchase' group by 1, 2) l
      on l.org_id = p.org_id and l.purchase_id = p.purchase_id
   where p.state = 'paid' and p.paid_at < least(d.until, d.at - interval '1 hour')
     and p.net_usd <> coalesce(l.sold_usd, 0)
  union all
  select p.org_id, 'M5', format('purchase %s is due to be invoiced', p.purchase_id), 'a period', 'none'
    from netra.credit_purchase p
   where p.state = 'paid' and not exists (select from netra.invoice_schedule s where s.org_id = p.org_id);
end
$$;

-- The series, which run through all organisations: each number that was drawn is one document's, and none is missing.
-- They belong to no organisation, and carry the nil id.
create function netra.check_series()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable security definer set search_path = pg_catalog as $$
  select '00000000-0000-0000-0000-000000000000'::uuid, 'M5', format('%ss of seller %s', k.kind, s.seller_id),
         format('numbers 1 to %s', k.drawn),
         format('%s numbers up to %s, %s of them drawn', count(i.serial), coalesce(max(i.serial), 0), count(d.serial))
    from netra.seller s
   cross join lateral (values ('invoice', s.invoices), ('credit_note', s.credit_notes)) k (kind, drawn)
    left join netra.invoice i on i.seller_id = s.seller_id and i.kind = k.kind
    left join netra.drawn_number d on d.seller_id = i.seller_id and d.kind = i.kind and d.serial = i.serial
     and d.number = i.number
   group by s.seller_id, k.kind, k.drawn
  having count(i.serial) <> k.drawn or coalesce(max(i.serial), 0) <> k.drawn or count(d.serial) <> k.drawn
$$;

create function netra.check_invoices()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable security definer set search_path = pg_catalog
  as $$ select * from netra.check_seen_invoices() union all select * from netra.check_series() $$;

do $$
declare
  v_function regprocedure;
begin
  grant create on schema netra to netra_system;
  for v_function in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'netra' and p.proname in ('half_even', 'tax_rate_of', 'tax_of', 'scheduled_period', 'draw_number',
       'seller_as_printed', 'buyer_as_printed', 'no_subscription', 'charges_to_bill', 'overage_tax', 'overage_to_bill',
       'purchases_to_bill', 'write_lines', 'keep_rounding', 'close_invoice', 'issue_invoice', 'move_schedule',
       'open_lines', 'split_credit', 'refuse_credit', 'credit_invoice', 'left_of_invoice', 'set_seller',
       'import_tax_rates', 'set_billing_profile')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_ledger', v_function);
  end loop;
  for v_function in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'netra' and p.proname in ('orgs_to_invoice', 'find_invoices', 'check_invoices', 'check_series')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_system', v_function);
  end loop;
  revoke create on schema netra from netra_system;
end
$$;
grant execute on function netra.half_even(numeric) to netra_app, netra_system;
grant execute on function netra.tax_of(uuid, timestamptz), netra.issue_invoice(uuid),
  netra.credit_invoice(uuid, uuid, uuid, jsonb, numeric, text), netra.orgs_to_invoice(int),
  netra.set_seller(text, text, text, text, text, text, int, text), netra.import_tax_rates(jsonb),
  netra.set_billing_profile(uuid, text, text, text, text, text), netra.find_invoices(text, uuid, text, int),
  netra.check_invoices(), netra.check_seen_invoices(), netra.check_seen_billed()
  to netra_app, netra_system;
grant execute on function netra.hash_document(netra.invoice) to netra_app, netra_system, netra_ledger;
