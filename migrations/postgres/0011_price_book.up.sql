-- not breaking: keeps the price books that usage was rated by, and checks the holds of ended runs
-- A version of the book is what a rated call names. Prices come with a release; what was charged must be explainable
-- long after, so each version that a server used is kept, and never changed: nobody is granted update or delete.
create table netra.price_book (
  book_version text primary key check (book_version ~ '^book-[0-9a-f]{16}$'),
  kept_at      timestamptz not null default now()
);

create table netra.price (
  book_version text not null references netra.price_book (book_version),
  provider     text not null,
  model        text not null,
  kind         text not null check (kind in ('input', 'cached_input', 'cache_write', 'output', 'reasoning')),
  valid_from   date not null,
  -- Requests with more input tokens pay this price for all their tokens of the kind.
  above_tokens bigint not null check (above_tokens >= 0),
  usd_mtok     numeric not null check (usd_mtok > 0),
  primary key (book_version, provider, model, kind, valid_from, above_tokens)
);

-- Not tenant data: everyone may read it.
grant select on netra.price_book, netra.price to netra_app, netra_system, netra_ledger;
grant insert on netra.price_book, netra.price to netra_ledger;

-- Keeps a book; false if it was kept before.
create function netra.keep_price_book(p_version text, p_prices jsonb) returns boolean
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into netra.price_book (book_version) values (p_version) on conflict do nothing;
  if not found then return false; end if;
  insert into netra.price (book_version, provider, model, kind, valid_from, above_tokens, usd_mtok)
  select p_version, r.provider, r.model, r.kind, r.valid_from, r.above_tokens, r.usd_mtok
    from jsonb_to_recordset(p_prices) as r (provider text, model text, kind text, valid_from date, above_tokens bigint,
                                            usd_mtok numeric);
  return true;
end
$$;

-- M2: an ended run has no active hold. A row is a breach, as in netra.check_books().
create function netra.check_run_holds()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable security definer set search_path = pg_catalog as $$
  select r.org_id, 'M2', 'hold of the ' || r.state || ' run ' || r.run_id, 'settled', h.state
    from netra.run r join netra.hold h on h.org_id = r.org_id and h.hold_id = r.hold_id
   where r.state in ('completed', 'failed', 'cancelled') and h.state = 'active'
$$;

revoke execute on function netra.keep_price_book(text, jsonb), netra.check_run_holds() from public;
grant create on schema netra to netra_system;
alter function netra.keep_price_book(text, jsonb) owner to netra_ledger;
alter function netra.check_run_holds() owner to netra_system;
revoke create on schema netra from netra_system;
grant execute on function netra.keep_price_book(text, jsonb), netra.check_run_holds() to netra_app, netra_system;
