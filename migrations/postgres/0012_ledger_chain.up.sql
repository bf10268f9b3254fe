-- not breaking: chains the transfers, adds refunds, lines beyond the balance, further wallets, and debts on receipts
-- Old calls keep working: what is added to a function stands behind, with a default.
alter table netra.wallet
  add column name text check (length(name) between 1 and 100),
  -- The hash of the wallet's last transfer; null before the first.
  add column head bytea,
  -- Movements of holds are told to netra.note_spending.
  add column capped boolean not null default false;

alter table netra.credit_grant
  -- The price of a credit drawn beyond the balance; null for all that was given or bought.
  add column usd_credit numeric(12, 6) check (usd_credit > 0),
  -- Moved to a grant of another wallet.
  add column moved_micro bigint not null default 0 check (moved_micro >= 0),
  drop constraint credit_grant_source_check,
  drop constraint credit_grant_check,
  add constraint credit_grant_source_check check (source in ('plan', 'upgrade', 'purchase', 'promotion', 'adjustment',
    'overage', 'observed', 'moved')),
  -- M3
  add constraint credit_grant_check check (
    granted_micro = spent_micro + held_micro + remaining_micro + expired_micro + moved_micro);
-- Moved credits are one grant a wallet and terms.
create unique index credit_grant_moved on netra.credit_grant (org_id, wallet_id, priority, expires_at)
  where source = 'moved';
-- A line is one grant a period, source and price: an upgrade within the period draws at the new price on its own.
drop index netra.credit_grant_burn;
-- The whole burn order, so that whoever takes the next grant reads one entry and sorts nothing. They ask for
-- `(expires_at > now()) is true`: as a condition of the index it makes this one look dearer to the planner than the
-- primary key, and that reads all grants that the organisation ever had (1.2 ms of them at 1,500, 0.07 ms so).
create index credit_grant_burn on netra.credit_grant
  (org_id, wallet_id, priority, expires_at, effective_at, (source = 'purchase'), grant_id) where live;
create unique index credit_grant_line on netra.credit_grant
  (org_id, wallet_id, source, period_start, coalesce(usd_credit, 0)) where source in ('overage', 'observed');

alter table netra.hold
  add column user_id text,
  add column expires_at timestamptz,
  -- When the sweeper last kept it because nothing proves what it did, and why.
  add column kept_at timestamptz,
  add column kept_why text,
  add column refunded_micro bigint not null default 0 check (refunded_micro >= 0),
  add constraint hold_refunded check (refunded_micro <= spent_micro);
create index hold_debt on netra.hold (org_id, wallet_id, created_at, hold_id) where debt_micro > 0;

alter table netra.hold_grant
  add column refunded_micro bigint not null default 0 check (refunded_micro >= 0),
  add constraint hold_grant_refunded check (refunded_micro <= spent_micro);

alter table netra.transfer
  add column user_id text,
  add column model text,
  add column moved_micro bigint not null default 0,
  add column hash bytea,
  drop constraint transfer_kind_check,
  drop constraint transfer_spent_micro_check,
  drop constraint transfer_check,
  add constraint transfer_kind_check check (kind in ('grant', 'hold', 'extend', 'capture', 'settle', 'overage', 'expire',
    'refund', 'move', 'line')),
  add constraint transfer_spent_micro_check check (spent_micro >= 0 or kind = 'refund'),
  -- M1
  add constraint transfer_check check (
    available_micro + held_micro + issued_micro + spent_micro + expired_micro + debt_micro + moved_micro = 0);

create or replace view netra.entry with (security_invoker = true) as
  select t.org_id, t.wallet_id, t.version, t.at, a.account, a.amount_micro, a.balance_micro,
         a.balance_micro - a.amount_micro as previous_micro
    from netra.transfer t
   cross join lateral (values
     ('available', t.available_micro, t.available_after_micro),
     ('held', t.held_micro, t.held_after_micro),
     ('debt', t.debt_micro, -t.debt_after_micro),
     ('issued', t.issued_micro, null),
     ('spent', t.spent_micro, null),
     ('expired', t.expired_micro, null),
     ('moved', t.moved_micro, null)
   ) a (account, amount_micro, balance_micro)
   where a.amount_micro <> 0;

-- The next link of a wallet's chain: the hash of the one before and of everything that the transfer says. A row as text
-- is unambiguous whatever the reasons and keys hold (it quotes them, and tells null from empty), and takes a third of
-- the time of a JSON array; the time is whole microseconds, so no time zone matters.
create function netra.link(p_org uuid, p_wallet int, p_head bytea, p_version bigint, p_at timestamptz, p_kind text,
    p_key text, p_requested_micro bigint, p_reason text, p_agent text, p_run uuid, p_hold uuid, p_grant uuid,
    p_user text, p_model text, p_available_micro bigint, p_held_micro bigint, p_debt_micro bigint,
    p_issued_micro bigint, p_spent_micro bigint, p_expired_micro bigint, p_moved_micro bigint) returns bytea
  language sql stable as $$
  select sha256(coalesce(p_head, sha256(convert_to(p_org::text || '/' || p_wallet::text, 'UTF8')))
    || convert_to(row(p_version, (extract(epoch from p_at) * 1000000)::bigint, p_kind, p_key,
      p_requested_micro, p_reason, p_agent, p_run, p_hold, p_grant, p_user, p_model, p_available_micro, p_held_micro,
      p_debt_micro, p_issued_micro, p_spent_micro, p_expired_micro, p_moved_micro)::text, 'UTF8'))
$$;

-- What was written before is chained as it stands, and debts that later grants paid go onto the receipts of the holds
-- that made them, oldest first.
alter table netra.transfer disable trigger immutable;
do $$
declare
  v_table text;
  v_transfer netra.transfer;
  v_head bytea;
begin
  -- An owner who is no superuser sees its own rows only so.
  foreach v_table in array array['wallet', 'credit_grant', 'hold', 'hold_grant', 'transfer'] loop
    execute format('alter table netra.%I no force row level security', v_table);
  end loop;
  for v_transfer in select * from netra.transfer order by org_id, wallet_id, version loop
    if v_transfer.version = 1 then v_head := null; end if;
    v_head := netra.link(v_transfer.org_id, v_transfer.wallet_id, v_head, v_transfer.version, v_transfer.at,
      v_transfer.kind, v_transfer.key, v_transfer.requested_micro, v_transfer.reason, v_transfer.agent,
      v_transfer.run_id, v_transfer.hold_id, v_transfer.grant_id, v_transfer.user_id, v_transfer.model,
      v_transfer.available_micro, v_transfer.held_micro, v_transfer.debt_micro, v_transfer.issued_micro,
      v_transfer.spent_micro, v_transfer.expired_micro, v_transfer.moved_micro);
    update netra.transfer t set hash = v_head
     where t.org_id = v_transfer.org_id and t.wallet_id = v_transfer.wallet_id and t.version = v_transfer.version;
  end loop;
  update netra.wallet w set head = t.hash from netra.transfer t
   where t.org_id = w.org_id and t.wallet_id = w.wallet_id and t.version = w.version;

  create temporary table paid_debt on commit drop as
  with made as (
    select t.org_id, t.wallet_id, t.hold_id, -t.debt_micro as amount,
           sum(-t.debt_micro) over (partition by t.org_id, t.wallet_id order by t.version) as upto
      from netra.transfer t where t.kind = 'overage' and t.debt_micro < 0
  ), paid as (
    select t.org_id, t.wallet_id, t.grant_id, t.debt_micro as amount,
           sum(t.debt_micro) over (partition by t.org_id, t.wallet_id order by t.version) as upto
      from netra.transfer t where t.kind = 'grant' and t.debt_micro > 0
  )
  select m.org_id, m.hold_id, p.grant_id,
         sum(least(m.upto, p.upto) - greatest(m.upto - m.amount, p.upto - p.amount))::bigint as part_micro
    from made m join paid p using (org_id, wallet_id)
   where least(m.upto, p.upto) > greatest(m.upto - m.amount, p.upto - p.amount)
   group by 1, 2, 3;
  insert into netra.hold_grant as r (org_id, hold_id, grant_id, ordinal, held_micro, spent_micro)
  select d.org_id, d.hold_id, d.grant_id,
         coalesce((select max(k.ordinal) from netra.hold_grant k where k.org_id = d.org_id and k.hold_id = d.hold_id), 0)
           + row_number() over (partition by d.org_id, d.hold_id order by d.grant_id), d.part_micro, d.part_micro
    from paid_debt d
  -- A hold that stayed open may have taken from the grant that paid its debt.
  on conflict (org_id, hold_id, grant_id) do update
    set held_micro = r.held_micro + excluded.held_micro, spent_micro = r.spent_micro + excluded.spent_micro;
  update netra.hold h set debt_micro = h.debt_micro - d.paid
    from (select p.org_id, p.hold_id, sum(p.part_micro) as paid from paid_debt p group by 1, 2) d
   where h.org_id = d.org_id and h.hold_id = d.hold_id;
  drop table paid_debt;

  foreach v_table in array array['wallet', 'credit_grant', 'hold', 'hold_grant', 'transfer'] loop
    execute format('alter table netra.%I force row level security', v_table);
  end loop;
end
$$;
alter table netra.transfer enable trigger immutable;
alter table netra.transfer add constraint transfer_hash_check check (hash is not null and length(hash) = 32);

drop function netra.check_books();
drop function netra.place_hold(uuid, uuid, bigint, text, text, uuid, text);
drop function netra.known_hold(uuid, bigint, text, text, uuid, text);
drop function netra.extend_hold(uuid, uuid, bigint, text);
drop function netra.cover_overage(uuid, netra.hold, bigint, text, text);
drop function netra.ready_capture(uuid, uuid, bigint, text, text, text);
drop function netra.capture_hold(uuid, uuid, bigint, text, text);
drop function netra.settle_hold(uuid, uuid, bigint, text, text);
drop function netra.end_hold(uuid, uuid, bigint, text, text);
drop function netra.refuse_credits(uuid, bigint, bigint);
drop function netra.read_balance(uuid);

-- Credits of the balance that are there to spend, and what of a line is spent or held in its current period.
create function netra.read_balance(p_org uuid, p_wallet int default 0)
  returns table (available_micro bigint, held_micro bigint, debt_micro bigint, version bigint, overage_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  return query
  select (w.available_micro - coalesce((
           select sum(g.remaining_micro) from netra.credit_grant g
            where g.org_id = p_org and g.wallet_id = p_wallet and g.live
              and (g.expires_at <= now()) is true), 0))::bigint,
         w.held_micro, w.debt_micro, w.version,
         coalesce((
           select sum(g.spent_micro + g.held_micro) from netra.credit_grant g
            where g.org_id = p_org and g.wallet_id = p_wallet and g.source in ('overage', 'observed')
              and g.expires_at > now()), 0)::bigint
    from netra.wallet w where w.org_id = p_org and w.wallet_id = p_wallet;
end
$$;

-- `p_taken_micro` is what this movement has already taken from the wallet: it is undone with the refusal.
create function netra.refuse_credits(p_org uuid, p_needed_micro bigint, p_taken_micro bigint, p_wallet int default 0)
  returns void
  language plpgsql as $$
declare
  v_balance_micro bigint := p_taken_micro
    + coalesce((select b.available_micro from netra.read_balance(p_org, p_wallet) b), 0);
begin
  perform netra.refuse('insufficient_credits',
    format('This needs %s credits; %s are available.', round(p_needed_micro / 1e6, 2), round(v_balance_micro / 1e6, 2)),
    jsonb_build_object('needed_micro', p_needed_micro::text, 'balance_micro', v_balance_micro::text,
                       'limit', 'credits', 'used', p_needed_micro::text, 'max', v_balance_micro::text,
                       'plan_that_lifts_it', netra.plan_that_pays(p_org, p_needed_micro - v_balance_micro)));
end
$$;

-- One movement: the wallet's row and its transfer, linked. For all but the two hot paths, which say the same in fewer
-- statements. Amounts are the entries; the debt's is negative when a debt is made. The caller has locked the wallet.
create function netra.post(p_org uuid, p_wallet int, p_kind text, p_key text, p_requested_micro bigint, p_reason text,
    p_agent text default null, p_run uuid default null, p_hold uuid default null, p_grant uuid default null,
    p_user text default null, p_model text default null, p_available_micro bigint default 0,
    p_held_micro bigint default 0, p_debt_micro bigint default 0, p_issued_micro bigint default 0,
    p_spent_micro bigint default 0, p_expired_micro bigint default 0, p_moved_micro bigint default 0)
  returns netra.wallet
  language plpgsql as $$
declare
  v_wallet netra.wallet;
begin
  update netra.wallet w
     set available_micro = w.available_micro + p_available_micro, held_micro = w.held_micro + p_held_micro,
         debt_micro = w.debt_micro - p_debt_micro, version = w.version + 1,
         head = netra.link(p_org, p_wallet, w.head, w.version + 1, now(), p_kind, p_key, p_requested_micro, p_reason,
           p_agent, p_run, p_hold, p_grant, p_user, p_model, p_available_micro, p_held_micro, p_debt_micro,
           p_issued_micro, p_spent_micro, p_expired_micro, p_moved_micro)
   where w.org_id = p_org and w.wallet_id = p_wallet returning * into strict v_wallet;
  insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id, hold_id,
    grant_id, user_id, model, available_micro, held_micro, debt_micro, issued_micro, spent_micro, expired_micro,
    moved_micro, available_after_micro, held_after_micro, debt_after_micro, hash)
  values (p_org, p_wallet, v_wallet.version, p_kind, p_key, p_requested_micro, p_reason, p_agent, p_run, p_hold,
    p_grant, p_user, p_model, p_available_micro, p_held_micro, p_debt_micro, p_issued_micro, p_spent_micro,
    p_expired_micro, p_moved_micro, v_wallet.available_micro, v_wallet.held_micro, v_wallet.debt_micro, v_wallet.head)
  on conflict (org_id, kind, key) do nothing;
  if not found then perform netra.retry_movement(); end if;
  return v_wallet;
end
$$;

-- The line that `p_beyond` allows now; no row = none. 'observe' counts what is used and never refuses or bills it.
create function netra.line_terms(p_org uuid, p_beyond text)
  returns table (source text, limit_micro bigint, usd_credit numeric, period_start timestamptz, period_end timestamptz)
  language plpgsql as $$
declare
  v_month timestamptz := date_trunc('month', now(), 'UTC');
begin
  if p_beyond <> 'observe' then
    return query select * from netra.line_of(p_org) l where l.period_end > now();
    return;
  end if;
  return query
  select 'observed', null::bigint, null::numeric, s.period_start, s.period_end
    from netra.subscription s where s.org_id = p_org and s.ended_at is null and s.period_end > now();
  if not found then
    return query select 'observed', null::bigint, null::numeric, v_month, netra.period_start_of(v_month, 1);
  end if;
end
$$;

-- Draws up to `p_missing_micro` beyond the balance: issued → available, as the line's grant of this period. The caller
-- has locked the wallet. Returns what the line gave.
create function netra.draw_line(p_org uuid, p_wallet int, p_missing_micro bigint, p_beyond text) returns bigint
  language plpgsql as $$
declare
  v_line record;
  v_drawn_micro bigint := p_missing_micro;
  v_grant netra.credit_grant;
begin
  if p_missing_micro <= 0 then return 0; end if;
  select * into v_line from netra.line_terms(p_org, p_beyond);
  if not found then return 0; end if;
  if v_line.limit_micro is not null then
    -- Two wallets of the organisation share its limit. A number of its own: it is taken by who has locked a wallet, and
    -- 1937 by who will lock one.
    perform pg_advisory_xact_lock(1939, hashtext(p_org::text));
    v_drawn_micro := least(p_missing_micro, v_line.limit_micro - coalesce((
      select sum(g.granted_micro) from netra.credit_grant g
       where g.org_id = p_org and g.source = v_line.source and g.period_start = v_line.period_start), 0));
    if v_drawn_micro <= 0 then return 0; end if;
  end if;
  insert into netra.credit_grant as g (org_id, grant_id, wallet_id, source, priority, expires_at, granted_micro,
    remaining_micro, period_start, usd_credit, reason)
  values (p_org, gen_random_uuid(), p_wallet, v_line.source, 90, v_line.period_end, v_drawn_micro, v_drawn_micro,
    v_line.period_start, v_line.usd_credit, 'beyond the balance')
  on conflict (org_id, wallet_id, source, period_start, (coalesce(usd_credit, 0)))
    where source in ('overage', 'observed')
  do update set granted_micro = g.granted_micro + excluded.granted_micro,
                remaining_micro = g.remaining_micro + excluded.remaining_micro, live = true,
                -- A period may have got another end since the first draw.
                expires_at = excluded.expires_at
  returning * into v_grant;
  -- The grant's total names this draw: it only grows.
  perform netra.post(p_org, p_wallet, 'line', format('line:%s:%s', v_grant.grant_id, v_grant.granted_micro),
    v_drawn_micro, v_line.source, p_grant => v_grant.grant_id, p_available_micro => v_drawn_micro,
    p_issued_micro => -v_drawn_micro);
  return v_drawn_micro;
end
$$;

-- Locks the wallet and draws what it lacks for `p_amount_micro`; refuses insufficient_credits.
create function netra.make_room(p_org uuid, p_wallet int, p_amount_micro bigint, p_beyond text) returns netra.wallet
  language plpgsql as $$
declare
  v_wallet netra.wallet;
  v_missing_micro bigint;
begin
  select * into v_wallet from netra.wallet w where w.org_id = p_org and w.wallet_id = p_wallet for no key update;
  v_missing_micro := p_amount_micro - coalesce(v_wallet.available_micro - v_wallet.floor_micro, 0);
  if v_missing_micro > 0 and (v_wallet.org_id is null
    or netra.draw_line(p_org, p_wallet, v_missing_micro, p_beyond) < v_missing_micro) then
    perform netra.refuse_credits(p_org, p_amount_micro, 0, p_wallet);
  end if;
  return v_wallet;
end
$$;

-- As in 0004, but found by the burn order, whatever the organisation had before.
create or replace function netra.burn_grants(p_org uuid, p_wallet int, p_hold uuid, p_amount_micro bigint) returns bigint
  language plpgsql as $$
declare
  v_taken_micro bigint;
begin
  with stock as (
    select g.grant_id, g.remaining_micro, sum(g.remaining_micro) over burn as upto_micro, row_number() over burn as ordinal
      from netra.credit_grant g
     where g.org_id = p_org and g.wallet_id = p_wallet and g.live and (g.expires_at > now()) is true
       and g.remaining_micro > 0
    window burn as (order by g.priority, g.expires_at, g.effective_at, g.source = 'purchase', g.grant_id
                    rows unbounded preceding)
  ), burn as (
    select s.grant_id, s.ordinal,
           least(s.remaining_micro, p_amount_micro - (s.upto_micro - s.remaining_micro))::bigint as take_micro
      from stock s where s.upto_micro - s.remaining_micro < p_amount_micro
  ), taken as (
    update netra.credit_grant g
       set remaining_micro = g.remaining_micro - b.take_micro, held_micro = g.held_micro + b.take_micro
      from burn b where g.org_id = p_org and g.grant_id = b.grant_id
  ), last as (
    select coalesce(max(r.ordinal), 0) as ordinal from netra.hold_grant r
     where r.org_id = p_org and r.hold_id = p_hold
  ), receipt as (
    insert into netra.hold_grant as r (org_id, hold_id, grant_id, ordinal, held_micro)
    select p_org, p_hold, b.grant_id, l.ordinal + b.ordinal, b.take_micro from burn b cross join last l
    on conflict (org_id, hold_id, grant_id) do update set held_micro = r.held_micro + excluded.held_micro
  )
  select coalesce(sum(b.take_micro), 0) into v_taken_micro from burn b;
  return v_taken_micro;
end
$$;

-- Burns all of `p_amount_micro`, that has left the wallet's available. What is missing is what the wallet still counts
-- of grants that have just expired: the line gives it, or the movement is refused.
create function netra.burn_all(p_org uuid, p_wallet int, p_hold uuid, p_amount_micro bigint, p_beyond text)
  returns void
  language plpgsql as $$
declare
  v_missing_micro bigint := p_amount_micro - netra.burn_grants(p_org, p_wallet, p_hold, p_amount_micro);
begin
  if v_missing_micro = 0 then return; end if;
  if netra.draw_line(p_org, p_wallet, v_missing_micro, p_beyond) < v_missing_micro then
    perform netra.refuse_credits(p_org, p_amount_micro, p_amount_micro, p_wallet);
  end if;
  if netra.burn_grants(p_org, p_wallet, p_hold, v_missing_micro) < v_missing_micro then
    raise exception 'a line of wallet % that was drawn cannot be burnt', p_wallet;
  end if;
end
$$;

-- The answer to a hold's key that is known; no row if it is not.
create function netra.known_hold(p_org uuid, p_amount_micro bigint, p_reason text, p_agent text, p_run uuid, p_key text,
                                 p_user text, p_wallet int)
  returns table (balance_micro bigint, hold_id uuid) language plpgsql as $$
declare
  v_prior netra.transfer;
begin
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'hold' and t.key = p_key;
  if found then
    -- The hold's own id is not part of the request: a caller that retries may make a new one.
    perform netra.same_request(v_prior, v_prior.hold_id, p_amount_micro, p_reason, p_agent, p_run);
    if (v_prior.user_id, v_prior.wallet_id) is distinct from (p_user, p_wallet) then
      perform netra.refuse_key(p_key);
    end if;
    balance_micro := v_prior.available_after_micro;
    hold_id := v_prior.hold_id;
    return next;
  end if;
end
$$;

create function netra.refuse_key(p_key text) returns void
  language plpgsql as $$
begin
  perform netra.refuse('idempotency_key_reused', 'This key was used for another movement.',
                       jsonb_build_object('key', p_key));
end
$$;

-- Reserves credits: available → held; what is missing comes from the line that `p_beyond` allows. Refuses
-- insufficient_credits. Idempotent by key.
--
-- The hot path is two statements, and that is what it costs: each further one is 10 to 20 µs of 150. So the tenant is
-- entered by an assignment (what netra.enter_org does, without a statement), the key is looked up inside the update of
-- the wallet, and that update computes the chain's next link: under concurrency its expressions are evaluated again on
-- the newest row, which a look-up of the transfer before would not be. A racing request of the same key may still be
-- invisible to the key's look-up; the key's unique index then says so, and the caller's retry finds the answer.
create function netra.place_hold(p_org uuid, p_hold uuid, p_amount_micro bigint, p_reason text, p_agent text,
    p_run uuid, p_key text, p_user text default null, p_wallet int default 0, p_expires_at timestamptz default null,
    p_beyond text default 'plan')
  returns table (balance_micro bigint, hold_id uuid)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org text := set_config('netra.org_id', p_org::text, true);
  v_available_micro bigint;
  v_held_micro bigint;
  v_debt_micro bigint;
  v_version bigint;
  v_head bytea;
  v_capped boolean;
  v_covered boolean;
begin
  for v_pass in 1..2 loop
    -- Takes the lock and makes the check in one statement; whoever comes later waits here and sees the new balance.
    update netra.wallet w
       set available_micro = w.available_micro - p_amount_micro, held_micro = w.held_micro + p_amount_micro,
           version = w.version + 1,
           head = netra.link(p_org, p_wallet, w.head, w.version + 1, now(), 'hold', p_key, p_amount_micro, p_reason,
             p_agent, p_run, p_hold, null, p_user, null, -p_amount_micro, p_amount_micro, 0, 0, 0, 0, 0)
     where w.org_id = p_org and w.wallet_id = p_wallet and p_amount_micro >= 0
       and w.available_micro - p_amount_micro >= w.floor_micro
       and not exists (select from netra.transfer t where t.org_id = p_org and t.kind = 'hold' and t.key = p_key)
    returning w.available_micro, w.held_micro, w.debt_micro, w.version, w.head, w.capped
         into v_available_micro, v_held_micro, v_debt_micro, v_version, v_head, v_capped;
    exit when found;
    return query select * from netra.known_hold(p_org, p_amount_micro, p_reason, p_agent, p_run, p_key, p_user,
                                                p_wallet);
    if found then return; end if;
    if p_amount_micro is null or p_amount_micro < 0 then perform netra.refuse_amount(p_amount_micro); end if;
    if v_pass = 2 then perform netra.refuse_credits(p_org, p_amount_micro, 0, p_wallet); end if;
    perform netra.make_room(p_org, p_wallet, p_amount_micro, p_beyond);
  end loop;

  -- The common case, one grant that suffices. It runs after the lock, so its snapshot is current.
  with taken as (
    update netra.credit_grant g
       set remaining_micro = g.remaining_micro - p_amount_micro, held_micro = g.held_micro + p_amount_micro
     where p_amount_micro > 0 and g.org_id = p_org and g.remaining_micro >= p_amount_micro and g.grant_id = (
             select s.grant_id from netra.credit_grant s
              where s.org_id = p_org and s.wallet_id = p_wallet and s.live and (s.expires_at > now()) is true
                and s.remaining_micro > 0
              order by s.priority, s.expires_at, s.effective_at, s.source = 'purchase', s.grant_id limit 1)
    returning g.grant_id
  ), receipt as (
    insert into netra.hold_grant (org_id, hold_id, grant_id, ordinal, held_micro)
    select p_org, p_hold, k.grant_id, 1, p_amount_micro from taken k
  ), opened as (
    insert into netra.hold (org_id, hold_id, wallet_id, run_id, agent, reason, held_micro, user_id, expires_at)
    values (p_org, p_hold, p_wallet, p_run, p_agent, p_reason, p_amount_micro, p_user, p_expires_at)
  )
  insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id, hold_id,
    user_id, available_micro, held_micro, available_after_micro, held_after_micro, debt_after_micro, hash)
  values (p_org, p_wallet, v_version, 'hold', p_key, p_amount_micro, p_reason, p_agent, p_run, p_hold, p_user,
    -p_amount_micro, p_amount_micro, v_available_micro, v_held_micro, v_debt_micro, v_head)
  on conflict (org_id, kind, key) do nothing
  returning exists (select from taken) into v_covered;
  if not found then perform netra.retry_movement(); end if;
  if not v_covered and p_amount_micro > 0 then
    perform netra.burn_all(p_org, p_wallet, p_hold, p_amount_micro, p_beyond);
  end if;
  if v_capped then
    perform netra.note_spending(p_org, p_user, now(), p_amount_micro, p_beyond <> 'observe');
  end if;
  balance_micro := v_available_micro;
  hold_id := p_hold;
  return next;
end
$$;

-- Grows an active hold: available → held, on the same receipt; what is missing comes from the line. Refuses
-- insufficient_credits, conflict, not_found.
--
-- The hot path is two statements, as in place_hold: the hold and the wallet with its link, then the grant, where one
-- suffices.
create function netra.extend_hold(p_org uuid, p_hold uuid, p_by_micro bigint, p_key text, p_beyond text default 'plan')
  returns table (balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org text := set_config('netra.org_id', p_org::text, true);
  v_now record;
  v_covered boolean;
begin
  with h as (
    update netra.hold h set held_micro = h.held_micro + p_by_micro
     where h.org_id = p_org and h.hold_id = p_hold and h.state = 'active' and p_by_micro >= 0
       and not exists (select from netra.transfer t where t.org_id = p_org and t.kind = 'extend' and t.key = p_key)
    returning h.wallet_id, h.reason, h.agent, h.run_id, h.user_id, h.created_at
  ), w as (
    update netra.wallet w
       set available_micro = w.available_micro - p_by_micro, held_micro = w.held_micro + p_by_micro,
           version = w.version + 1,
           head = netra.link(p_org, w.wallet_id, w.head, w.version + 1, now(), 'extend', p_key, p_by_micro, h.reason,
             h.agent, h.run_id, p_hold, null, h.user_id, null, -p_by_micro, p_by_micro, 0, 0, 0, 0, 0)
      from h
     where w.org_id = p_org and w.wallet_id = h.wallet_id and w.available_micro - p_by_micro >= w.floor_micro
    returning w.available_micro, w.held_micro, w.debt_micro, w.version, w.head, w.capped
  )
  select h.*, w.* into v_now from h left join w on true;
  if not found then
    return query select k.available_after_micro from netra.known_extension(p_org, p_hold, p_by_micro, p_key) k;
    if found then return; end if;
    if p_by_micro is null or p_by_micro < 0 then perform netra.refuse_amount(p_by_micro); end if;
    perform netra.refuse_hold(p_org, p_hold, 'extend', p_key);
  end if;

  if v_now.version is null then
    return query select netra.extend_beyond(p_org, p_hold, p_by_micro, p_key, p_beyond);
    return;
  end if;
  -- It runs after the lock, so its snapshot is current.
  with taken as (
    update netra.credit_grant g
       set remaining_micro = g.remaining_micro - p_by_micro, held_micro = g.held_micro + p_by_micro
     where p_by_micro > 0 and g.org_id = p_org and g.remaining_micro >= p_by_micro and g.grant_id = (
             select s.grant_id from netra.credit_grant s
              where s.org_id = p_org and s.wallet_id = v_now.wallet_id and s.live and (s.expires_at > now()) is true
                and s.remaining_micro > 0
              order by s.priority, s.expires_at, s.effective_at, s.source = 'purchase', s.grant_id limit 1)
    returning g.grant_id
  ), receipt as (
    insert into netra.hold_grant as r (org_id, hold_id, grant_id, ordinal, held_micro)
    select p_org, p_hold, k.grant_id, 1 + coalesce((select max(o.ordinal) from netra.hold_grant o
             where o.org_id = p_org and o.hold_id = p_hold), 0), p_by_micro
      from taken k
    on conflict (org_id, hold_id, grant_id) do update set held_micro = r.held_micro + excluded.held_micro
  )
  insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id, hold_id,
    user_id, available_micro, held_micro, available_after_micro, held_after_micro, debt_after_micro, hash)
  values (p_org, v_now.wallet_id, v_now.version, 'extend', p_key, p_by_micro, v_now.reason, v_now.agent, v_now.run_id,
    p_hold, v_now.user_id, -p_by_micro, p_by_micro, v_now.available_micro, v_now.held_micro, v_now.debt_micro,
    v_now.head)
  on conflict (org_id, kind, key) do nothing
  returning exists (select from taken) into v_covered;
  if not found then perform netra.retry_movement(); end if;
  if not v_covered and p_by_micro > 0 then
    perform netra.burn_all(p_org, v_now.wallet_id, p_hold, p_by_micro, p_beyond);
  end if;
  if v_now.capped then
    perform netra.note_spending(p_org, v_now.user_id, v_now.created_at, p_by_micro, p_beyond <> 'observe');
  end if;
  balance_micro := v_now.available_micro;
  return next;
end
$$;

-- The transfer of an extension whose key is known; no row if it is not.
create function netra.known_extension(p_org uuid, p_hold uuid, p_by_micro bigint, p_key text)
  returns setof netra.transfer language plpgsql as $$
declare
  v_prior netra.transfer;
begin
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'extend' and t.key = p_key;
  if not found then return; end if;
  perform netra.same_request(v_prior, p_hold, p_by_micro, v_prior.reason, v_prior.agent, v_prior.run_id);
  return next v_prior;
end
$$;

-- The rest of an extension that the balance does not cover: the hold has grown already. Answers with the balance.
create function netra.extend_beyond(p_org uuid, p_hold uuid, p_by_micro bigint, p_key text, p_beyond text)
  returns bigint language plpgsql as $$
declare
  v_hold netra.hold;
  v_wallet netra.wallet;
begin
  select * into strict v_hold from netra.hold h where h.org_id = p_org and h.hold_id = p_hold;
  perform netra.make_room(p_org, v_hold.wallet_id, p_by_micro, p_beyond);
  v_wallet := netra.post(p_org, v_hold.wallet_id, 'extend', p_key, p_by_micro, v_hold.reason, v_hold.agent,
    v_hold.run_id, p_hold, p_user => v_hold.user_id, p_available_micro => -p_by_micro, p_held_micro => p_by_micro);
  perform netra.burn_all(p_org, v_hold.wallet_id, p_hold, p_by_micro, p_beyond);
  if v_wallet.capped then
    perform netra.note_spending(p_org, v_hold.user_id, v_hold.created_at, p_by_micro, p_beyond <> 'observe');
  end if;
  return v_wallet.available_micro;
end
$$;

-- Grows a hold to cover a capture beyond it, so that work done is never dropped: first from what is available above
-- the floor, then from the line, and what neither has becomes debt under the same run, which the next grant pays. The
-- caller has locked the hold.
create function netra.cover_overage(p_org uuid, p_hold netra.hold, p_over_micro bigint, p_reason text, p_key text,
                                    p_beyond text) returns void
  language plpgsql as $$
declare
  v_wallet netra.wallet;
  v_taken_micro bigint;
  v_drawn_micro bigint;
  v_debt_micro bigint;
begin
  select * into strict v_wallet from netra.wallet w
   where w.org_id = p_org and w.wallet_id = p_hold.wallet_id for no key update;
  v_taken_micro := netra.burn_grants(p_org, p_hold.wallet_id, p_hold.hold_id,
                                     greatest(0, least(p_over_micro, v_wallet.available_micro - v_wallet.floor_micro)));
  v_drawn_micro := netra.draw_line(p_org, p_hold.wallet_id, p_over_micro - v_taken_micro, p_beyond);
  if v_drawn_micro > 0 then
    perform netra.burn_grants(p_org, p_hold.wallet_id, p_hold.hold_id, v_drawn_micro);
    v_taken_micro := v_taken_micro + v_drawn_micro;
  end if;
  v_debt_micro := p_over_micro - v_taken_micro;
  update netra.hold h set held_micro = h.held_micro + p_over_micro, debt_micro = h.debt_micro + v_debt_micro
   where h.org_id = p_org and h.hold_id = p_hold.hold_id;
  perform netra.post(p_org, p_hold.wallet_id, 'overage', p_key, p_over_micro, p_reason, p_hold.agent, p_hold.run_id,
    p_hold.hold_id, p_user => p_hold.user_id, p_available_micro => -v_taken_micro, p_held_micro => p_over_micro,
    p_debt_micro => -v_debt_micro);
  if v_wallet.capped then
    perform netra.note_spending(p_org, p_hold.user_id, p_hold.created_at, p_over_micro, false);
  end if;
end
$$;

-- Locks the active hold and makes sure that it covers a capture; refuses what is not an active hold.
create function netra.ready_capture(p_org uuid, p_hold uuid, p_amount_micro bigint, p_reason text, p_kind text,
                                    p_key text, p_beyond text) returns netra.hold
  language plpgsql as $$
declare
  v_hold netra.hold;
begin
  if p_amount_micro is null or p_amount_micro < 0 then perform netra.refuse_amount(p_amount_micro); end if;
  select * into v_hold from netra.hold h
   where h.org_id = p_org and h.hold_id = p_hold and h.state = 'active' for no key update;
  if not found then perform netra.refuse_hold(p_org, p_hold, p_kind, p_key); end if;
  if p_amount_micro > v_hold.held_micro - v_hold.spent_micro then
    perform netra.cover_overage(p_org, v_hold, p_amount_micro - (v_hold.held_micro - v_hold.spent_micro), p_reason,
                                p_kind || ':' || p_key, p_beyond);
  end if;
  return v_hold;
end
$$;

-- Charges part of a hold that stays open: held → spent, one transfer with reason, agent, run and model.
--
-- The hot path is one statement, for a hold whose credits came from one grant, as in settle_hold: it changes nothing in
-- the same cases, and if the key is known.
create function netra.capture_hold(p_org uuid, p_hold uuid, p_amount_micro bigint, p_reason text, p_key text,
                                   p_model text default null, p_beyond text default 'plan')
  returns table (held_micro bigint, spent_micro bigint, balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org text := set_config('netra.org_id', p_org::text, true);
  v_posted int;
begin
  with h as (
    update netra.hold h set spent_micro = h.spent_micro + p_amount_micro
      from netra.hold_grant r
     where h.org_id = p_org and h.hold_id = p_hold and h.state = 'active'
       and p_amount_micro between 0 and h.held_micro - h.spent_micro
       and r.org_id = p_org and r.hold_id = p_hold and r.held_micro - r.spent_micro = h.held_micro - h.spent_micro
       and h.held_micro > h.spent_micro
       and not exists (select from netra.transfer t where t.org_id = p_org and t.kind = 'capture' and t.key = p_key)
    returning h.wallet_id, h.run_id, h.agent, h.user_id, h.held_micro, h.spent_micro, r.grant_id
  ), w as (
    update netra.wallet w
       set held_micro = w.held_micro - p_amount_micro, version = w.version + 1,
           head = netra.link(p_org, w.wallet_id, w.head, w.version + 1, now(), 'capture', p_key, p_amount_micro,
             p_reason, h.agent, h.run_id, p_hold, null, h.user_id, p_model, 0, -p_amount_micro, 0, 0, p_amount_micro,
             0, 0)
      from h where w.org_id = p_org and w.wallet_id = h.wallet_id
    returning w.available_micro, w.held_micro, w.debt_micro, w.version, w.head
  ), signed as (
    update netra.hold_grant r set spent_micro = r.spent_micro + p_amount_micro
      from h where r.org_id = p_org and r.hold_id = p_hold and r.grant_id = h.grant_id
  ), charged as (
    update netra.credit_grant g
       set held_micro = g.held_micro - p_amount_micro, spent_micro = g.spent_micro + p_amount_micro,
           live = g.remaining_micro > 0 or g.held_micro > p_amount_micro
      from h where g.org_id = p_org and g.grant_id = h.grant_id
  ), posted as (
    insert into netra.transfer as t (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id,
      hold_id, user_id, model, held_micro, spent_micro, available_after_micro, held_after_micro, debt_after_micro, hash)
    select p_org, h.wallet_id, w.version, 'capture', p_key, p_amount_micro, p_reason, h.agent, h.run_id, p_hold,
           h.user_id, p_model, -p_amount_micro, p_amount_micro, w.available_micro, w.held_micro, w.debt_micro, w.head
      from h cross join w
    on conflict (org_id, kind, key) do nothing
    returning 1
  )
  select h.held_micro, h.spent_micro, w.available_micro, (select count(*) from posted)
    into held_micro, spent_micro, balance_micro, v_posted from h cross join w;
  if found then
    -- Another hold's capture has just used the key: nothing of this one may stay.
    if v_posted = 0 then perform netra.retry_movement(); end if;
    return next;
    return;
  end if;
  return query select * from netra.capture_parts(p_org, p_hold, p_amount_micro, p_reason, p_key, p_model, p_beyond);
end
$$;

-- A capture whatever the hold's receipt looks like, or the answer to its key if that is known.
create function netra.capture_parts(p_org uuid, p_hold uuid, p_amount_micro bigint, p_reason text, p_key text,
                                    p_model text, p_beyond text)
  returns table (held_micro bigint, spent_micro bigint, balance_micro bigint)
  language plpgsql as $$
declare
  v_prior netra.transfer;
  v_hold netra.hold;
  v_wallet netra.wallet;
begin
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'capture' and t.key = p_key;
  if found then
    perform netra.same_request(v_prior, p_hold, p_amount_micro, p_reason, v_prior.agent, v_prior.run_id);
    if v_prior.model is distinct from p_model then perform netra.refuse_key(p_key); end if;
    return query select h.held_micro, h.spent_micro, v_prior.available_after_micro
      from netra.hold h where h.org_id = p_org and h.hold_id = p_hold;
    return;
  end if;
  v_hold := netra.ready_capture(p_org, p_hold, p_amount_micro, p_reason, 'capture', p_key, p_beyond);
  v_wallet := netra.post(p_org, v_hold.wallet_id, 'capture', p_key, p_amount_micro, p_reason, v_hold.agent,
    v_hold.run_id, p_hold, p_user => v_hold.user_id, p_model => p_model, p_held_micro => -p_amount_micro,
    p_spent_micro => p_amount_micro);
  update netra.hold h set spent_micro = h.spent_micro + p_amount_micro
   where h.org_id = p_org and h.hold_id = p_hold
  returning h.held_micro, h.spent_micro into held_micro, spent_micro;
  perform netra.spend_receipt(p_org, p_hold, p_amount_micro, false);
  balance_micro := v_wallet.available_micro;
  return next;
end
$$;

-- Ends a hold whose row the caller has locked, whatever its receipt looks like.
create function netra.end_hold(p_org uuid, p_hold uuid, p_capture_micro bigint, p_reason text, p_key text)
  returns table (held_micro bigint, spent_micro bigint, released_micro bigint, balance_micro bigint)
  language plpgsql as $$
declare
  v_hold netra.hold;
  v_wallet netra.wallet;
begin
  update netra.hold h
     set state = 'settled', ended_at = now(), spent_micro = h.spent_micro + p_capture_micro,
         released_micro = h.held_micro - h.spent_micro - p_capture_micro
   where h.org_id = p_org and h.hold_id = p_hold returning * into strict v_hold;
  v_wallet := netra.post(p_org, v_hold.wallet_id, 'settle', p_key, p_capture_micro, p_reason, v_hold.agent,
    v_hold.run_id, p_hold, p_user => v_hold.user_id, p_available_micro => v_hold.released_micro,
    p_held_micro => -v_hold.released_micro - p_capture_micro, p_spent_micro => p_capture_micro);
  perform netra.spend_receipt(p_org, p_hold, p_capture_micro, true);
  if v_wallet.capped and v_hold.released_micro > 0 then
    perform netra.note_spending(p_org, v_hold.user_id, v_hold.created_at, -v_hold.released_micro, false);
  end if;
  return query select v_hold.held_micro, v_hold.spent_micro, v_hold.released_micro, v_wallet.available_micro;
end
$$;

-- Ends a hold in one transfer: `p_capture_micro` is charged (held → spent), the rest goes back to the grants of its
-- receipt (held → available). Returns the totals of the hold's life and the balance after. The same key again gives
-- the same answer; another key on an ended hold is a conflict.
--
-- The hot path is one statement, for a hold whose credits came from one grant. It changes nothing if the hold is not
-- active, covers less than the capture, has several grants, or moved while the statement waited for its row (then the
-- receipt that it read is old, and no longer equals what is outstanding). Those cases go on under the hold's lock.
create function netra.settle_hold(p_org uuid, p_hold uuid, p_capture_micro bigint, p_reason text, p_key text,
                                  p_beyond text default 'plan')
  returns table (held_micro bigint, spent_micro bigint, released_micro bigint, balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org text := set_config('netra.org_id', p_org::text, true);
  v_capped boolean;
  v_user text;
  v_created_at timestamptz;
begin
  with h as (
    update netra.hold h
       set state = 'settled', ended_at = now(), spent_micro = h.spent_micro + p_capture_micro,
           released_micro = h.held_micro - h.spent_micro - p_capture_micro
      from netra.hold_grant r
     where h.org_id = p_org and h.hold_id = p_hold and h.state = 'active'
       and p_capture_micro between 0 and h.held_micro - h.spent_micro
       and r.org_id = p_org and r.hold_id = p_hold and r.held_micro - r.spent_micro = h.held_micro - h.spent_micro
       and h.held_micro > h.spent_micro
    returning h.wallet_id, h.run_id, h.agent, h.user_id, h.created_at, h.held_micro, h.spent_micro, h.released_micro,
              r.grant_id
  ), w as (
    update netra.wallet w
       set available_micro = w.available_micro + h.released_micro,
           held_micro = w.held_micro - h.released_micro - p_capture_micro, version = w.version + 1,
           head = netra.link(p_org, w.wallet_id, w.head, w.version + 1, now(), 'settle', p_key, p_capture_micro,
             p_reason, h.agent, h.run_id, p_hold, null, h.user_id, null, h.released_micro,
             -h.released_micro - p_capture_micro, 0, 0, p_capture_micro, 0, 0)
      from h where w.org_id = p_org and w.wallet_id = h.wallet_id
    returning w.available_micro, w.held_micro, w.debt_micro, w.version, w.head, w.capped
  ), signed as (
    update netra.hold_grant r
       set spent_micro = r.spent_micro + p_capture_micro, released_micro = h.released_micro
      from h where r.org_id = p_org and r.hold_id = p_hold and r.grant_id = h.grant_id
  ), returned as (
    update netra.credit_grant g
       set held_micro = g.held_micro - h.released_micro - p_capture_micro,
           spent_micro = g.spent_micro + p_capture_micro, remaining_micro = g.remaining_micro + h.released_micro,
           live = g.remaining_micro + h.released_micro > 0 or g.held_micro > h.released_micro + p_capture_micro
      from h where g.org_id = p_org and g.grant_id = h.grant_id
  )
  insert into netra.transfer as t (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id,
    hold_id, user_id, available_micro, held_micro, spent_micro, available_after_micro, held_after_micro,
    debt_after_micro, hash)
  select p_org, h.wallet_id, w.version, 'settle', p_key, p_capture_micro, p_reason, h.agent, h.run_id, p_hold,
         h.user_id, h.released_micro, -h.released_micro - p_capture_micro, p_capture_micro, w.available_micro,
         w.held_micro, w.debt_micro, w.head
    from h cross join w
  on conflict (org_id, kind, key) do nothing
  returning (select h.held_micro from h), (select h.spent_micro from h), t.available_micro, t.available_after_micro,
            (select w.capped from w), t.user_id, (select h.created_at from h)
       into held_micro, spent_micro, released_micro, balance_micro, v_capped, v_user, v_created_at;
  if found then
    if v_capped and released_micro > 0 then
      perform netra.note_spending(p_org, v_user, v_created_at, -released_micro, false);
    end if;
    return next;
    return;
  end if;
  return query select * from netra.known_settlement(p_org, p_hold, p_capture_micro, p_reason, p_key);
  if found then return; end if;
  perform netra.ready_capture(p_org, p_hold, p_capture_micro, p_reason, 'settle', p_key, p_beyond);
  return query select * from netra.end_hold(p_org, p_hold, p_capture_micro, p_reason, p_key);
end
$$;

-- Gives back what an ended hold was charged: spent → what it owes still, then available, in the grants of its own
-- receipt, last spent first. Never a hold that is not there or still active, never more than was spent and not yet
-- refunded. What comes back to a grant that has ended expires at the next booking.
create function netra.refund_hold(p_org uuid, p_hold uuid, p_amount_micro bigint, p_reason text, p_key text)
  returns table (refunded_micro bigint, balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_prior netra.transfer;
  v_hold netra.hold;
  v_wallet netra.wallet;
  v_owed_micro bigint;
begin
  perform netra.enter_org(p_org);
  if p_amount_micro is null or p_amount_micro <= 0 then perform netra.refuse_amount(p_amount_micro); end if;
  -- The lock comes first: of two requests of one key the second sees the first's transfer.
  select * into v_hold from netra.hold h where h.org_id = p_org and h.hold_id = p_hold for no key update;
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'refund' and t.key = p_key;
  if found then
    perform netra.same_request(v_prior, p_hold, p_amount_micro, p_reason, v_prior.agent, v_prior.run_id);
    return query select -v_prior.spent_micro, v_prior.available_after_micro;
    return;
  end if;
  if v_hold.hold_id is null then
    perform netra.refuse('not_found', 'There is no such hold.', jsonb_build_object('hold', p_hold));
  elsif v_hold.state = 'active' then
    perform netra.refuse('conflict', 'This hold has not ended: settle it for less instead.',
      jsonb_build_object('hold', p_hold));
  elsif p_amount_micro > v_hold.spent_micro - v_hold.refunded_micro then
    perform netra.refuse('conflict', 'This is more than the hold was charged and not yet refunded.',
      jsonb_build_object('hold', p_hold, 'max', (v_hold.spent_micro - v_hold.refunded_micro)::text));
  end if;
  v_owed_micro := least(p_amount_micro, v_hold.debt_micro);
  update netra.hold h
     set refunded_micro = h.refunded_micro + p_amount_micro, debt_micro = h.debt_micro - v_owed_micro
   where h.org_id = p_org and h.hold_id = p_hold;
  v_wallet := netra.post(p_org, v_hold.wallet_id, 'refund', p_key, p_amount_micro, p_reason, v_hold.agent,
    v_hold.run_id, p_hold, p_user => v_hold.user_id, p_available_micro => p_amount_micro - v_owed_micro,
    p_debt_micro => v_owed_micro, p_spent_micro => -p_amount_micro);
  perform netra.refund_receipt(p_org, p_hold, p_amount_micro - v_owed_micro);
  if v_wallet.capped then
    perform netra.note_spending(p_org, v_hold.user_id, v_hold.created_at, -p_amount_micro, false);
  end if;
  return query select p_amount_micro, v_wallet.available_micro;
end
$$;

-- Puts `p_back_micro` back into the grants of a receipt, last spent first. The caller holds hold and wallet.
create function netra.refund_receipt(p_org uuid, p_hold uuid, p_back_micro bigint) returns void
  language plpgsql as $$
declare
  v_found_micro bigint;
begin
  with receipt as (
    select r.grant_id, r.spent_micro - r.refunded_micro as open_micro,
           sum(r.spent_micro - r.refunded_micro) over back as upto_micro
      from netra.hold_grant r where r.org_id = p_org and r.hold_id = p_hold
    window back as (order by r.ordinal desc rows unbounded preceding)
  ), split as (
    select c.grant_id, least(c.open_micro, p_back_micro - (c.upto_micro - c.open_micro))::bigint as back_micro
      from receipt c where c.open_micro > 0 and c.upto_micro - c.open_micro < p_back_micro
  ), signed as (
    update netra.hold_grant r set refunded_micro = r.refunded_micro + s.back_micro
      from split s where r.org_id = p_org and r.hold_id = p_hold and r.grant_id = s.grant_id
  ), returned as (
    update netra.credit_grant g
       set spent_micro = g.spent_micro - s.back_micro, remaining_micro = g.remaining_micro + s.back_micro, live = true
      from split s where g.org_id = p_org and g.grant_id = s.grant_id
  )
  select coalesce(sum(s.back_micro), 0) into v_found_micro from split s;
  -- A receipt is whole or the books are broken: better no refund than credits from nowhere.
  if v_found_micro <> p_back_micro then
    raise exception 'the receipt of hold % covers % of % micro-credits', p_hold, v_found_micro, p_back_micro;
  end if;
end
$$;

-- Locks the holds that owe, then the wallet, in the order of all movements. A debt that was made in between is seen by
-- the caller's retry.
create function netra.lock_debtors(p_org uuid, p_wallet int) returns netra.wallet
  language plpgsql as $$
declare
  v_owed_micro bigint;
  v_wallet netra.wallet;
begin
  select coalesce(sum(d.debt_micro), 0) into v_owed_micro from (
    select h.debt_micro from netra.hold h
     where h.org_id = p_org and h.wallet_id = p_wallet and h.debt_micro > 0
     order by h.created_at, h.hold_id for no key update) d;
  select * into strict v_wallet from netra.wallet w
   where w.org_id = p_org and w.wallet_id = p_wallet for no key update;
  if v_owed_micro <> v_wallet.debt_micro then perform netra.retry_movement(); end if;
  return v_wallet;
end
$$;

-- Writes a grant that paid `p_paid_micro` of the wallet's debt onto the receipts of the holds that made it, oldest
-- first, so that every charged credit has a grant that it came from. The caller has called netra.lock_debtors.
create function netra.pay_debtors(p_org uuid, p_wallet int, p_grant uuid, p_paid_micro bigint) returns void
  language sql as $$
  with owed as (
    select h.hold_id, h.debt_micro, sum(h.debt_micro) over oldest as upto_micro
      from netra.hold h
     where p_paid_micro > 0 and h.org_id = p_org and h.wallet_id = p_wallet and h.debt_micro > 0
    window oldest as (order by h.created_at, h.hold_id rows unbounded preceding)
  ), paid as (
    select o.hold_id, least(o.debt_micro, p_paid_micro - (o.upto_micro - o.debt_micro))::bigint as part_micro
      from owed o where o.upto_micro - o.debt_micro < p_paid_micro
  ), receipt as (
    insert into netra.hold_grant (org_id, hold_id, grant_id, ordinal, held_micro, spent_micro)
    select p_org, p.hold_id, p_grant, 1 + coalesce((select max(r.ordinal) from netra.hold_grant r
             where r.org_id = p_org and r.hold_id = p.hold_id), 0), p.part_micro, p.part_micro
      from paid p
  )
  update netra.hold h set debt_micro = h.debt_micro - p.part_micro
    from paid p where h.org_id = p_org and h.hold_id = p.hold_id
$$;

-- Gives credits: issued → available, less what a debt takes first. `granted_micro` is zero when the key was known.
create or replace function netra.grant_credits(p_org uuid, p_grant uuid, p_amount_micro bigint, p_source text,
    p_priority smallint, p_expires_at timestamptz, p_reason text, p_key text,
    p_subscription uuid default null, p_period_start timestamptz default null)
  returns table (grant_id uuid, granted_micro bigint, balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_prior netra.transfer;
  v_wallet netra.wallet;
  v_repaid_micro bigint;
begin
  perform netra.enter_org(p_org);
  if p_amount_micro is null or p_amount_micro <= 0 or p_expires_at <= now() then
    perform netra.refuse('invalid_request', 'A grant is more than zero and ends in the future.');
  end if;
  -- Not tried where it is there: what a new wallet makes sure of would be made sure of by every grant.
  insert into netra.wallet (org_id)
  select p_org where not exists (select from netra.wallet w where w.org_id = p_org and w.wallet_id = 0)
  on conflict do nothing;
  v_wallet := netra.lock_debtors(p_org, 0);
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'grant' and t.key = p_key;
  if found then
    perform netra.same_request(v_prior, null, p_amount_micro, p_reason, null, null);
    return query select v_prior.grant_id, 0::bigint, v_prior.available_after_micro;
    return;
  end if;

  v_repaid_micro := least(p_amount_micro, v_wallet.debt_micro);
  insert into netra.credit_grant (org_id, grant_id, source, priority, expires_at, granted_micro, spent_micro,
    remaining_micro, live, subscription_id, period_start, reason)
  values (p_org, p_grant, p_source,
    coalesce(p_priority, case p_source when 'promotion' then 10 when 'purchase' then 30 else 20 end),
    coalesce(p_expires_at, 'infinity'), p_amount_micro, v_repaid_micro, p_amount_micro - v_repaid_micro,
    p_amount_micro > v_repaid_micro, p_subscription, p_period_start, p_reason);
  v_wallet := netra.post(p_org, 0, 'grant', p_key, p_amount_micro, p_reason, p_grant => p_grant,
    p_available_micro => p_amount_micro - v_repaid_micro, p_debt_micro => v_repaid_micro,
    p_issued_micro => -p_amount_micro);
  perform netra.pay_debtors(p_org, 0, p_grant, v_repaid_micro);
  return query select p_grant, p_amount_micro, v_wallet.available_micro;
end
$$;

-- Books what remains of grants that have ended: available → expired, one transfer a wallet. Credits that are still
-- held are not touched; what comes back from them expires at the next call. Returns the micro-credits that expired.
create or replace function netra.expire_grants(p_org uuid) returns bigint
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_wallet netra.wallet;
  v_expired_micro bigint;
  v_total_micro bigint := 0;
begin
  perform netra.enter_org(p_org);
  for v_wallet in
    select * from netra.wallet w where w.org_id = p_org order by w.wallet_id for no key update
  loop
    with due as (
      select g.grant_id, g.remaining_micro from netra.credit_grant g
       where g.org_id = p_org and g.wallet_id = v_wallet.wallet_id and g.live and g.expires_at <= now()
         and g.remaining_micro > 0
    ), ended as (
      update netra.credit_grant g
         set expired_micro = g.expired_micro + d.remaining_micro, remaining_micro = 0, live = g.held_micro > 0
        from due d where g.org_id = p_org and g.grant_id = d.grant_id
    )
    select coalesce(sum(d.remaining_micro), 0) into v_expired_micro from due d;
    if v_expired_micro > 0 then
      perform netra.post(p_org, v_wallet.wallet_id, 'expire',
        case v_wallet.wallet_id when 0 then 'expire:' else 'expire:' || v_wallet.wallet_id || ':' end
          || v_wallet.version + 1,
        v_expired_micro, 'expired', p_available_micro => -v_expired_micro, p_expired_micro => v_expired_micro);
      v_total_micro := v_total_micro + v_expired_micro;
    end if;
  end loop;
  return v_total_micro;
end
$$;

-- Opens a further wallet of the organisation (a team, a project); again with the same name, it changes nothing.
create function netra.open_wallet(p_org uuid, p_wallet int, p_name text) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  if p_wallet is null or p_wallet < 1 then
    perform netra.refuse('invalid_request', 'A further wallet has a number from 1 on.');
  end if;
  insert into netra.wallet (org_id, wallet_id, name) values (p_org, p_wallet, p_name) on conflict do nothing;
  if not found and (select w.name from netra.wallet w where w.org_id = p_org and w.wallet_id = p_wallet)
    is distinct from p_name then
    perform netra.refuse('conflict', 'There is such a wallet under another name.',
      jsonb_build_object('wallet', p_wallet));
  end if;
exception when foreign_key_violation then
  perform netra.refuse('not_found', 'There is no such organisation.', jsonb_build_object('org', p_org));
end
$$;

-- Moves credits between two wallets of an organisation: one transfer in each, balanced by the account moved. They are
-- taken in burn order and keep their terms: in the target, all that ever came with one priority and expiry is one
-- grant, so wallets that credits move between for ever hold one for each of their terms, not for each move. Credits of a line
-- stay where they were drawn, and a debt of the target is not paid by a move.
--
-- The hot path is two statements: the locks, then all that moves, where one grant suffices. Only the second reads
-- grants and the key, so it sees what was committed while the first one waited.
create function netra.move_credits(p_org uuid, p_from int, p_to int, p_amount_micro bigint, p_reason text, p_key text)
  returns table (from_balance_micro bigint, to_balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org text := set_config('netra.org_id', p_org::text, true);
  v_received_key text := netra.other_side(p_key);
  v_rows int;
begin
  if p_amount_micro is null or p_amount_micro <= 0 then perform netra.refuse_amount(p_amount_micro); end if;
  if p_from = p_to then perform netra.refuse('invalid_request', 'Credits move from one wallet to another.'); end if;
  -- Lowest first, so that two moves in opposite directions do not wait for each other.
  perform from netra.wallet w where w.org_id = p_org and w.wallet_id in (p_from, p_to)
    order by w.wallet_id for no key update;
  get diagnostics v_rows = row_count;
  if v_rows < 2 then
    perform netra.refuse('not_found', 'There is no such wallet.', jsonb_build_object('from', p_from, 'to', p_to));
  end if;

  with taken as (
    update netra.credit_grant g
       set remaining_micro = g.remaining_micro - p_amount_micro, moved_micro = g.moved_micro + p_amount_micro,
           live = g.remaining_micro > p_amount_micro or g.held_micro > 0
     where g.org_id = p_org and g.remaining_micro >= p_amount_micro and g.grant_id = (
             select s.grant_id from netra.credit_grant s
              where s.org_id = p_org and s.wallet_id = p_from and s.live and (s.expires_at > now()) is true
                and s.remaining_micro > 0 and s.source not in ('overage', 'observed')
              order by s.priority, s.expires_at, s.effective_at, s.source = 'purchase', s.grant_id limit 1)
       and not exists (select from netra.transfer t where t.org_id = p_org and t.kind = 'move' and t.key = p_key)
    returning g.priority, g.expires_at
  ), given as (
    insert into netra.credit_grant as g (org_id, grant_id, wallet_id, source, priority, expires_at, granted_micro,
      remaining_micro, reason)
    select p_org, gen_random_uuid(), p_to, 'moved', k.priority, k.expires_at, p_amount_micro, p_amount_micro, p_reason
      from taken k
    on conflict (org_id, wallet_id, priority, expires_at) where source = 'moved'
    do update set granted_micro = g.granted_micro + excluded.granted_micro,
                  remaining_micro = g.remaining_micro + excluded.remaining_micro, live = true
  ), w as (
    update netra.wallet w
       set available_micro = w.available_micro
             + case w.wallet_id when p_from then -p_amount_micro else p_amount_micro end,
           version = w.version + 1,
           head = netra.link(p_org, w.wallet_id, w.head, w.version + 1, now(), 'move',
             case w.wallet_id when p_from then p_key else v_received_key end, p_amount_micro, p_reason, null, null, null,
             null, null, null, case w.wallet_id when p_from then -p_amount_micro else p_amount_micro end, 0, 0, 0, 0, 0,
             case w.wallet_id when p_from then p_amount_micro else -p_amount_micro end)
      from taken where w.org_id = p_org and w.wallet_id in (p_from, p_to)
    returning w.wallet_id, w.version, w.available_micro, w.held_micro, w.debt_micro, w.head,
              case w.wallet_id when p_from then p_amount_micro else -p_amount_micro end as moved_micro
  ), posted as (
    insert into netra.transfer as t (org_id, wallet_id, version, kind, key, requested_micro, reason, available_micro,
      moved_micro, available_after_micro, held_after_micro, debt_after_micro, hash)
    select p_org, w.wallet_id, w.version, 'move', case w.wallet_id when p_from then p_key else v_received_key end,
           p_amount_micro, p_reason, -w.moved_micro, w.moved_micro, w.available_micro, w.held_micro, w.debt_micro,
           w.head
      from w
    on conflict (org_id, kind, key) do nothing
    returning t.wallet_id, t.available_after_micro
  )
  select count(*), max(p.available_after_micro) filter (where p.wallet_id = p_from),
         max(p.available_after_micro) filter (where p.wallet_id = p_to)
    into v_rows, from_balance_micro, to_balance_micro from posted p;
  if v_rows = 0 then
    return query select * from netra.known_move(p_org, p_from, p_to, p_amount_micro, p_reason, p_key);
    if found then return; end if;
    return query select * from netra.move_parts(p_org, p_from, p_to, p_amount_micro, p_reason, p_key);
    return;
  end if;
  -- A side whose key another pair of wallets has just used.
  if v_rows < 2 then perform netra.retry_movement(); end if;
  return next;
end
$$;

-- The answer to a move's key that is known; no row if it is not. The caller has locked both wallets.
create function netra.known_move(p_org uuid, p_from int, p_to int, p_amount_micro bigint, p_reason text, p_key text)
  returns table (from_balance_micro bigint, to_balance_micro bigint) language plpgsql as $$
declare
  v_prior netra.transfer;
begin
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'move' and t.key = p_key;
  if not found then return; end if;
  perform netra.same_request(v_prior, null, p_amount_micro, p_reason, null, null);
  from_balance_micro := v_prior.available_after_micro;
  select t.available_after_micro into to_balance_micro from netra.transfer t
   where t.org_id = p_org and t.kind = 'move' and t.key = netra.other_side(p_key) and t.wallet_id = p_to;
  if not found or v_prior.wallet_id <> p_from then perform netra.refuse_key(p_key); end if;
  return next;
end
$$;

-- A move that takes from several grants. The caller has locked both wallets and looked for the key.
create function netra.move_parts(p_org uuid, p_from int, p_to int, p_amount_micro bigint, p_reason text, p_key text)
  returns table (from_balance_micro bigint, to_balance_micro bigint) language plpgsql as $$
declare
  v_moved_micro bigint := netra.move_grants(p_org, p_from, p_to, p_amount_micro, p_reason);
begin
  if v_moved_micro < p_amount_micro then perform netra.refuse_credits(p_org, p_amount_micro, 0, p_from); end if;
  from_balance_micro := (netra.post(p_org, p_from, 'move', p_key, p_amount_micro, p_reason,
    p_available_micro => -p_amount_micro, p_moved_micro => p_amount_micro)).available_micro;
  to_balance_micro := (netra.post(p_org, p_to, 'move', netra.other_side(p_key), p_amount_micro, p_reason,
    p_available_micro => p_amount_micro, p_moved_micro => -p_amount_micro)).available_micro;
  return next;
end
$$;

-- The key of a move's second transfer, in the wallet that receives.
create function netra.other_side(p_key text) returns text
  language sql immutable as $$ select p_key || ' → received' $$;

-- The grants' part of a move; returns what there was to take.
create function netra.move_grants(p_org uuid, p_from int, p_to int, p_amount_micro bigint, p_reason text) returns bigint
  language plpgsql as $$
declare
  v_moved_micro bigint;
begin
  with stock as (
    select g.*, sum(g.remaining_micro) over burn as upto_micro, row_number() over burn as place
      from netra.credit_grant g
     where g.org_id = p_org and g.wallet_id = p_from and g.live and (g.expires_at > now()) is true
       and g.remaining_micro > 0 and g.source not in ('overage', 'observed')
    window burn as (order by g.priority, g.expires_at, g.effective_at, g.source = 'purchase', g.grant_id
                    rows unbounded preceding)
  ), part as (
    select s.*, least(s.remaining_micro, p_amount_micro - (s.upto_micro - s.remaining_micro))::bigint as part_micro
      from stock s where s.upto_micro - s.remaining_micro < p_amount_micro
  ), taken as (
    update netra.credit_grant g
       set remaining_micro = g.remaining_micro - p.part_micro, moved_micro = g.moved_micro + p.part_micro,
           live = g.remaining_micro > p.part_micro or g.held_micro > 0
      from part p where g.org_id = p_org and g.grant_id = p.grant_id
  ), given as (
    insert into netra.credit_grant as g (org_id, grant_id, wallet_id, source, priority, expires_at, effective_at,
      granted_micro, remaining_micro, reason)
    -- Younger than what is there, in the order in which they were taken: of equal terms the burn order stays one order.
    select p_org, gen_random_uuid(), p_to, 'moved', p.priority, p.expires_at,
           now() + min(p.place) * interval '1 microsecond', sum(p.part_micro), sum(p.part_micro), p_reason
      from part p group by p.priority, p.expires_at
    on conflict (org_id, wallet_id, priority, expires_at) where source = 'moved'
    do update set granted_micro = g.granted_micro + excluded.granted_micro,
                  remaining_micro = g.remaining_micro + excluded.remaining_micro, live = true
  )
  select coalesce(sum(p.part_micro), 0) into v_moved_micro from part p;
  return v_moved_micro;
end
$$;

-- Holds that may need the sweeper: past their time (or, without one, older than `p_older_ms`), and of no living run.
-- Those that it kept come last, so that they do not stand in the way.
create or replace function netra.orphan_holds(p_older_ms int, p_limit int) returns table (org_id uuid, hold_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
    select h.org_id, h.hold_id from netra.hold h
    where h.state = 'active'
      and coalesce(h.expires_at, h.created_at + p_older_ms * interval '1 millisecond') <= now()
      and not exists (select from netra.run r where r.org_id = h.org_id and r.run_id = h.run_id
        and r.state in ('queued', 'running', 'parked'))
    order by h.kept_at nulls first, h.created_at limit p_limit
  $$;

-- What the run log says about an active hold: `proven_micro` is all that it was charged or owes by the log (null: the
-- log proves nothing), `why` says by what. Read with the hold's row locked.
create function netra.hold_evidence(p_org uuid, p_hold uuid) returns table (proven_micro bigint, why text)
  language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  v_hold netra.hold;
  v_run netra.run;
  v_charged_micro bigint;
  v_captured_micro bigint;
  v_receipt_micro bigint;
begin
  perform netra.enter_org(p_org);
  select * into strict v_hold from netra.hold h where h.org_id = p_org and h.hold_id = p_hold;
  if v_hold.run_id is null then
    if v_hold.spent_micro = 0 then
      return query select 0::bigint, 'no run, nothing charged'::text;
    else
      return query select null::bigint, 'charged in part, and no run whose log says what came of it'::text;
    end if;
    return;
  end if;
  select * into v_run from netra.run r where r.org_id = p_org and r.run_id = v_hold.run_id;
  if not found then
    return query select null::bigint, 'its run is not in this database'::text;
    return;
  elsif v_run.state in ('queued', 'running', 'parked') then
    return query select null::bigint, 'its run is not over'::text;
    return;
  end if;
  select coalesce(sum((e.data ->> 'amount_micro')::bigint), 0) into v_charged_micro from netra.event e
   where e.org_id = p_org and e.run_id = v_run.run_id and e.type = 'credits_charged';
  -- Its own captures where it is the run's hold; where it is a further one, what all the run's holds captured.
  select coalesce(sum(t.spent_micro), 0) into v_captured_micro from netra.transfer t
   where t.org_id = p_org and t.kind = 'capture'
     and (t.hold_id = p_hold or v_run.hold_id <> p_hold and t.run_id = v_run.run_id);
  if v_run.hold_id = p_hold then
    select (e.data -> 'credits' ->> 'spent_micro')::bigint into v_receipt_micro from netra.event e
     where e.org_id = p_org and e.run_id = v_run.run_id and e.seq = v_run.last_seq;
    -- The terminal event's receipt is the run's whole charge; without one, what was charged step by step.
    v_charged_micro := coalesce(v_receipt_micro, v_charged_micro);
    if v_charged_micro >= v_hold.spent_micro then
      return query select v_charged_micro, format('the log of the %s run', v_run.state);
      return;
    end if;
  elsif v_hold.spent_micro = 0 and v_charged_micro = v_captured_micro then
    return query select 0::bigint, format('all that the log of the %s run charged was captured elsewhere', v_run.state);
    return;
  end if;
  return query select null::bigint, format('the log of the run says %s micro-credits, the ledger has captured %s',
                                           v_charged_micro, v_captured_micro);
end
$$;

-- What becomes of a hold that nobody ended. settled: the run log proves what it owes. released: it provably did
-- nothing. kept: neither; it stays, marked, for a person. gone: somebody else has ended it, or its run lives. The
-- evidence is read under the hold's lock, and the state changes with the entries, in this transaction.
create function netra.sweep_hold(p_org uuid, p_hold uuid)
  returns table (verdict text, why text, run_id uuid, held_micro bigint, captured_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_hold netra.hold;
  v_proven_micro bigint;
begin
  perform netra.enter_org(p_org);
  select * into v_hold from netra.hold h
   where h.org_id = p_org and h.hold_id = p_hold and h.state = 'active' for no key update;
  if not found then
    return query select 'gone', 'it has ended', null::uuid, 0::bigint, 0::bigint;
    return;
  end if;
  run_id := v_hold.run_id;
  held_micro := v_hold.held_micro - v_hold.spent_micro;
  captured_micro := 0;
  select e.proven_micro, e.why into v_proven_micro, why from netra.hold_evidence(p_org, p_hold) e;
  if v_proven_micro is not null then
    captured_micro := v_proven_micro - v_hold.spent_micro;
    verdict := case when v_proven_micro > 0 then 'settled' else 'released' end;
    perform netra.settle_hold(p_org, p_hold, captured_micro, 'swept: ' || why, 'sweep/' || p_hold);
  elsif why = 'its run is not over' then
    verdict := 'gone';
  else
    verdict := 'kept';
    update netra.hold h set kept_at = now(), kept_why = sweep_hold.why
     where h.org_id = p_org and h.hold_id = p_hold;
  end if;
  return next;
end
$$;

-- How many active holds the sweeper could neither settle nor release, and what they hold.
create function netra.kept_holds() returns table (holds bigint, held_micro numeric)
  language sql stable security definer set search_path = pg_catalog as $$
  select count(*), coalesce(sum(h.held_micro - h.spent_micro), 0) from netra.hold h
   where h.state = 'active' and h.kept_at is not null
$$;

-- M1–M3 over every organisation, read-only; a row is a breach.
create function netra.check_books()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language plpgsql stable security definer set search_path = pg_catalog as $$
begin
  return query
  with books as (
    select t.org_id, t.wallet_id, count(*) as transfers, max(t.version) as version, sum(t.available_micro) as available,
           sum(t.held_micro) as held, -sum(t.debt_micro) as debt, sum(t.spent_micro) as spent,
           -sum(t.issued_micro) as issued, sum(t.expired_micro) as expired,
           sum(t.moved_micro) as moved,
           sum(t.available_micro + t.held_micro + t.issued_micro + t.spent_micro + t.expired_micro + t.debt_micro
               + t.moved_micro) as rest
      from netra.transfer t group by 1, 2
  ), replay as (
    select t.org_id, t.wallet_id, count(*) as wrong from (
      select r.*, sum(r.available_micro) over past as available_sum, sum(r.held_micro) over past as held_sum,
             -sum(r.debt_micro) over past as debt_sum, row_number() over past as place
        from netra.transfer r window past as (partition by r.org_id, r.wallet_id order by r.version)) t
     where (t.available_after_micro, t.held_after_micro, t.debt_after_micro, t.version)
       is distinct from (t.available_sum, t.held_sum, t.debt_sum, t.place)
     group by 1, 2
  ), grants as (
    select g.org_id, g.wallet_id, sum(g.remaining_micro) as remaining, sum(g.held_micro) as held,
           sum(g.spent_micro) as spent, sum(g.expired_micro) as expired, sum(g.granted_micro) filter (where g.source <> 'moved') as granted,
           sum(g.moved_micro) - coalesce(sum(g.granted_micro) filter (where g.source = 'moved'), 0) as moved,
           count(*) filter (where g.granted_micro
             <> g.spent_micro + g.held_micro + g.remaining_micro + g.expired_micro + g.moved_micro) as wrong
      from netra.credit_grant g group by 1, 2
  ), holds as (
    select h.org_id, h.wallet_id, sum(h.held_micro - h.spent_micro - h.released_micro) filter (where h.state = 'active')
             as active, sum(h.spent_micro - h.refunded_micro) as spent, sum(h.debt_micro) as debt,
           count(*) filter (where h.state = 'settled' and h.held_micro <> h.spent_micro + h.released_micro) as wrong
      from netra.hold h group by 1, 2
  ), receipts as (
    select r.org_id, r.grant_id, sum(r.held_micro - r.spent_micro - r.released_micro) as held,
           sum(r.spent_micro - r.refunded_micro) as spent
      from netra.hold_grant r group by 1, 2
  ), every as (
    select w.*, coalesce(b.transfers, 0) as transfers, coalesce(b.available, 0) as b_available,
           coalesce(b.held, 0) as b_held, coalesce(b.debt, 0) as b_debt, coalesce(b.spent, 0) as b_spent,
           coalesce(b.issued, 0) as b_issued, coalesce(b.expired, 0) as b_expired, coalesce(b.moved, 0) as b_moved, coalesce(b.rest, 0) as b_rest,
          
           coalesce(p.wrong, 0) as replay_wrong, coalesce(g.remaining, 0) as g_remaining, coalesce(g.held, 0) as g_held,
           coalesce(g.spent, 0) as g_spent, coalesce(g.expired, 0) as g_expired, coalesce(g.granted, 0) as g_granted,
           coalesce(g.moved, 0) as g_moved, coalesce(g.wrong, 0) as g_wrong,
           coalesce(h.active, 0) as h_active, coalesce(h.spent, 0) as h_spent,
           coalesce(h.debt, 0) as h_debt, coalesce(h.wrong, 0) as h_wrong
      from netra.wallet w
      left join books b using (org_id, wallet_id) left join replay p using (org_id, wallet_id)
      left join grants g using (org_id, wallet_id) left join holds h using (org_id, wallet_id)
  )
  select e.org_id, c.invariant, c.what, c.expected::text, c.found::text
    from every e
   cross join lateral (values
     ('M1', 'the entries of all transfers sum to zero', 0, e.b_rest),
     ('M1', 'available = sum of its entries', e.b_available, e.available_micro),
     ('M1', 'held = sum of its entries', e.b_held, e.held_micro),
     ('M1', 'debt = sum of its entries', e.b_debt, e.debt_micro),
     ('M1', 'a transfer for each wallet version', e.version, e.transfers),
     ('M1', 'transfers whose balance after cannot be replayed', 0, e.replay_wrong),
     ('M1', 'available is not negative', 0, least(e.available_micro, 0)),
     ('M2', 'held = outstanding of active holds', e.h_active, e.held_micro),
     ('M2', 'ended holds with something outstanding', 0, e.h_wrong),
     ('M2', 'spent of holds - refunded = entries of spent', e.b_spent, e.h_spent),
     ('M2', 'debt = debt of holds', e.h_debt, e.debt_micro),
     ('M3', 'grants that are not granted = spent + held + remaining + expired + moved', 0, e.g_wrong),
     ('M3', 'available = remaining of grants', e.g_remaining, e.available_micro),
     ('M3', 'granted = entries of issued', e.b_issued, e.g_granted),
     ('M3', 'expired of grants = entries of expired', e.b_expired, e.g_expired),
     ('M3', 'moved of grants = entries of moved', e.b_moved, e.g_moved),
     ('M3', 'spent of grants + debt = entries of spent', e.b_spent, e.g_spent + e.debt_micro)
   ) c (invariant, what, expected, found)
   where c.expected is distinct from c.found
  union all
  select g.org_id, 'M3', 'held of grant ' || g.grant_id || ' = its receipts', coalesce(r.held, 0)::text,
         g.held_micro::text
    from netra.credit_grant g left join receipts r using (org_id, grant_id)
   where g.held_micro <> coalesce(r.held, 0)
  union all
  select g.org_id, 'M3', 'spent of grant ' || g.grant_id || ' = its receipts', coalesce(r.spent, 0)::text,
         g.spent_micro::text
    from netra.credit_grant g left join receipts r using (org_id, grant_id)
   where g.spent_micro <> coalesce(r.spent, 0)
  union all
  select h.org_id, 'M3', 'charge of hold ' || h.hold_id || ' = its receipts + its debt',
         (coalesce(r.spent, 0) + h.debt_micro)::text, (h.spent_micro - h.refunded_micro)::text
    from netra.hold h left join (
      select s.org_id, s.hold_id, sum(s.spent_micro - s.refunded_micro) as spent from netra.hold_grant s group by 1, 2
    ) r using (org_id, hold_id)
   where h.spent_micro - h.refunded_micro <> coalesce(r.spent, 0) + h.debt_micro;
end
$$;

do $$
declare
  v_function regprocedure;
begin
  grant create on schema netra to netra_system;
  for v_function in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'netra' and p.proname in ('link', 'read_balance', 'refuse_credits', 'post', 'line_terms',
       'draw_line', 'make_room', 'burn_all', 'known_hold', 'refuse_key', 'place_hold', 'extend_hold', 'known_extension',
       'extend_beyond', 'cover_overage', 'ready_capture', 'capture_hold', 'capture_parts', 'end_hold', 'settle_hold', 'refund_hold', 'refund_receipt', 'lock_debtors',
       'pay_debtors', 'open_wallet', 'move_credits', 'known_move', 'move_parts', 'other_side', 'move_grants',
       'sweep_hold')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_ledger', v_function);
  end loop;
end
$$;
revoke execute on function netra.check_books(), netra.hold_evidence(uuid, uuid), netra.kept_holds() from public;
alter function netra.check_books() owner to netra_system;
alter function netra.hold_evidence(uuid, uuid) owner to netra_system;
alter function netra.kept_holds() owner to netra_system;
revoke create on schema netra from netra_system;
grant execute on function netra.link(uuid, int, bytea, bigint, timestamptz, text, text, bigint, text, text, uuid, uuid,
  uuid, text, text, bigint, bigint, bigint, bigint, bigint, bigint, bigint) to netra_app, netra_system;
grant execute on function
  netra.place_hold(uuid, uuid, bigint, text, text, uuid, text, text, int, timestamptz, text),
  netra.extend_hold(uuid, uuid, bigint, text, text), netra.capture_hold(uuid, uuid, bigint, text, text, text, text),
  netra.settle_hold(uuid, uuid, bigint, text, text, text), netra.refund_hold(uuid, uuid, bigint, text, text),
  netra.open_wallet(uuid, int, text), netra.move_credits(uuid, int, int, bigint, text, text),
  netra.read_balance(uuid, int), netra.check_books()
  to netra_app, netra_log, netra_system;
grant execute on function netra.hold_evidence(uuid, uuid) to netra_ledger;
grant execute on function netra.sweep_hold(uuid, uuid), netra.kept_holds() to netra_app;
