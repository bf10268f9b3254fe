-- breaking: forgets the chain, refunds, lines and further wallets; refuses while any of them holds credits' history
do $$
begin
  if exists (select from netra.transfer t where t.wallet_id <> 0 or t.kind in ('refund', 'move', 'line')) then
    raise exception 'refunds, lines or further wallets are in use: without them the books would not add up';
  end if;
end
$$;
drop function netra.kept_holds();
drop function netra.sweep_hold(uuid, uuid);
drop function netra.hold_evidence(uuid, uuid);
drop function netra.check_books();
drop function netra.move_credits(uuid, int, int, bigint, text, text);
drop function netra.known_move(uuid, int, int, bigint, text, text);
drop function netra.move_parts(uuid, int, int, bigint, text, text);
drop function netra.move_grants(uuid, int, int, bigint, text);
drop function netra.other_side(text);
drop function netra.open_wallet(uuid, int, text);
drop function netra.refund_hold(uuid, uuid, bigint, text, text);
drop function netra.refund_receipt(uuid, uuid, bigint);
drop function netra.lock_debtors(uuid, int);
drop function netra.pay_debtors(uuid, int, uuid, bigint);
drop function netra.settle_hold(uuid, uuid, bigint, text, text, text);
drop function netra.end_hold(uuid, uuid, bigint, text, text);
drop function netra.capture_hold(uuid, uuid, bigint, text, text, text, text);
drop function netra.capture_parts(uuid, uuid, bigint, text, text, text, text);
drop function netra.ready_capture(uuid, uuid, bigint, text, text, text, text);
drop function netra.cover_overage(uuid, netra.hold, bigint, text, text, text);
drop function netra.extend_hold(uuid, uuid, bigint, text, text);
drop function netra.extend_beyond(uuid, uuid, bigint, text, text);
drop function netra.known_extension(uuid, uuid, bigint, text);
drop function netra.place_hold(uuid, uuid, bigint, text, text, uuid, text, text, int, timestamptz, text);
drop function netra.known_hold(uuid, bigint, text, text, uuid, text, text, int);
drop function netra.refuse_key(text);
drop function netra.burn_all(uuid, int, uuid, bigint, text);
drop function netra.make_room(uuid, int, bigint, text);
drop function netra.draw_line(uuid, int, bigint, text);
drop function netra.line_terms(uuid, text);
drop function netra.post(uuid, int, text, text, bigint, text, text, uuid, uuid, uuid, text, text, bigint, bigint,
  bigint, bigint, bigint, bigint, bigint);
drop function netra.refuse_credits(uuid, bigint, bigint, int);
drop function netra.read_balance(uuid, int);


drop view netra.entry;
drop function netra.link(uuid, int, bytea, bigint, timestamptz, text, text, bigint, text, text, uuid, uuid, uuid, text,
  text, bigint, bigint, bigint, bigint, bigint, bigint, bigint);
alter table netra.transfer
  drop constraint transfer_hash_check,
  drop constraint transfer_check,
  drop constraint transfer_spent_micro_check,
  drop constraint transfer_kind_check,
  drop column hash,
  drop column moved_micro,
  drop column model,
  drop column user_id,
  add constraint transfer_kind_check
    check (kind in ('grant', 'hold', 'extend', 'capture', 'settle', 'overage', 'expire')),
  add constraint transfer_spent_micro_check check (spent_micro >= 0),
  add constraint transfer_check check (
    available_micro + held_micro + issued_micro + spent_micro + expired_micro + debt_micro = 0);
alter table netra.hold_grant drop constraint hold_grant_refunded, drop column refunded_micro;
drop index netra.hold_debt;
alter table netra.hold drop constraint hold_refunded, drop column refunded_micro, drop column kept_why, drop column kept_at,
  drop column expires_at, drop column user_id;
drop index netra.credit_grant_line;
drop index netra.credit_grant_moved;
drop index netra.credit_grant_burn;
create index credit_grant_burn on netra.credit_grant (org_id, wallet_id, priority, expires_at, effective_at)
  where live;
alter table netra.credit_grant
  drop constraint credit_grant_check,
  drop constraint credit_grant_source_check,
  drop column moved_micro,
  drop column usd_credit,
  add constraint credit_grant_source_check check (source in ('plan', 'upgrade', 'purchase', 'promotion', 'adjustment')),
  add constraint credit_grant_check check (granted_micro = spent_micro + held_micro + remaining_micro + expired_micro);
alter table netra.wallet drop column capped, drop column head, drop column name;

-- The sides of each transfer. `balance_micro` is the balance after it, for the accounts that the wallet carries.
create view netra.entry with (security_invoker = true) as
  select t.org_id, t.wallet_id, t.version, t.at, a.account, a.amount_micro, a.balance_micro
    from netra.transfer t
   cross join lateral (values
     ('available', t.available_micro, t.available_after_micro),
     ('held', t.held_micro, t.held_after_micro),
     ('debt', t.debt_micro, -t.debt_after_micro),
     ('issued', t.issued_micro, null),
     ('spent', t.spent_micro, null),
     ('expired', t.expired_micro, null)
   ) a (account, amount_micro, balance_micro)
   where a.amount_micro <> 0;
grant select on netra.entry to netra_app, netra_system;

-- `p_taken_micro` is what this movement has already taken from the wallet: it is undone with the refusal.
create function netra.refuse_credits(p_org uuid, p_needed_micro bigint, p_taken_micro bigint) returns void
  language plpgsql as $$
declare
  v_balance_micro bigint := p_taken_micro
    + coalesce((select b.available_micro from netra.read_balance(p_org) b), 0);
begin
  perform netra.refuse('insufficient_credits',
    format('This needs %s credits; %s are available.', round(p_needed_micro / 1e6, 2), round(v_balance_micro / 1e6, 2)),
    jsonb_build_object('needed_micro', p_needed_micro::text, 'balance_micro', v_balance_micro::text,
                       'limit', 'credits', 'used', v_balance_micro::text, 'max', p_needed_micro::text,
                       'plan_that_lifts_it', netra.plan_that_pays(p_org, p_needed_micro - v_balance_micro)));
end
$$;

create or replace function netra.burn_grants(p_org uuid, p_wallet int, p_hold uuid, p_amount_micro bigint) returns bigint
  language plpgsql as $$
declare
  v_taken_micro bigint;
begin
  with stock as (
    select g.grant_id, g.remaining_micro, sum(g.remaining_micro) over burn as upto_micro, row_number() over burn as ordinal
      from netra.credit_grant g
     where g.org_id = p_org and g.wallet_id = p_wallet and g.live and g.expires_at > now() and g.remaining_micro > 0
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

-- The answer to a hold's key that is known; no row if it is not.
create function netra.known_hold(p_org uuid, p_amount_micro bigint, p_reason text, p_agent text, p_run uuid, p_key text)
  returns table (balance_micro bigint, hold_id uuid) language plpgsql as $$
declare
  v_prior netra.transfer;
begin
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'hold' and t.key = p_key;
  if found then
    -- The hold's own id is not part of the request: a caller that retries may make a new one.
    perform netra.same_request(v_prior, v_prior.hold_id, p_amount_micro, p_reason, p_agent, p_run);
    balance_micro := v_prior.available_after_micro;
    hold_id := v_prior.hold_id;
    return next;
  end if;
end
$$;

-- Reserves credits: available → held. Refuses insufficient_credits. Idempotent by key.
--
-- The hot path is two statements, and that is what it costs: each further one is 10 to 20 µs of 150. So the tenant is
-- entered by an assignment (what netra.enter_org does, without a statement), and the key is looked up inside the
-- update of the wallet. A racing request of the same key may still be invisible to that look-up; the key's unique
-- index then says so, and the caller's retry finds the answer.
create function netra.place_hold(p_org uuid, p_hold uuid, p_amount_micro bigint, p_reason text, p_agent text,
                                 p_run uuid, p_key text)
  returns table (balance_micro bigint, hold_id uuid)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org text := set_config('netra.org_id', p_org::text, true);
  v_available_micro bigint;
  v_held_micro bigint;
  v_debt_micro bigint;
  v_version bigint;
  v_covered boolean;
begin
  -- Takes the lock and makes the check in one statement; whoever comes later waits here and sees the new balance.
  update netra.wallet w
     set available_micro = w.available_micro - p_amount_micro, held_micro = w.held_micro + p_amount_micro,
         version = w.version + 1
   where w.org_id = p_org and w.wallet_id = 0 and p_amount_micro >= 0
     and w.available_micro - p_amount_micro >= w.floor_micro
     and not exists (select from netra.transfer t where t.org_id = p_org and t.kind = 'hold' and t.key = p_key)
  returning w.available_micro, w.held_micro, w.debt_micro, w.version
       into v_available_micro, v_held_micro, v_debt_micro, v_version;
  if not found then
    return query select * from netra.known_hold(p_org, p_amount_micro, p_reason, p_agent, p_run, p_key);
    if found then return; end if;
    if p_amount_micro is null or p_amount_micro < 0 then perform netra.refuse_amount(p_amount_micro); end if;
    perform netra.refuse_credits(p_org, p_amount_micro, 0);
  end if;

  -- The common case, one grant that suffices. It runs after the lock, so its snapshot is current.
  with taken as (
    update netra.credit_grant g
       set remaining_micro = g.remaining_micro - p_amount_micro, held_micro = g.held_micro + p_amount_micro
     where p_amount_micro > 0 and g.org_id = p_org and g.remaining_micro >= p_amount_micro and g.grant_id = (
             select s.grant_id from netra.credit_grant s
              where s.org_id = p_org and s.wallet_id = 0 and s.live and s.expires_at > now() and s.remaining_micro > 0
              order by s.priority, s.expires_at, s.effective_at, s.source = 'purchase', s.grant_id limit 1)
    returning g.grant_id
  ), receipt as (
    insert into netra.hold_grant (org_id, hold_id, grant_id, ordinal, held_micro)
    select p_org, p_hold, k.grant_id, 1, p_amount_micro from taken k
  ), opened as (
    insert into netra.hold (org_id, hold_id, run_id, agent, reason, held_micro)
    values (p_org, p_hold, p_run, p_agent, p_reason, p_amount_micro)
  )
  insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id, hold_id,
    available_micro, held_micro, available_after_micro, held_after_micro, debt_after_micro)
  values (p_org, 0, v_version, 'hold', p_key, p_amount_micro, p_reason, p_agent, p_run, p_hold,
    -p_amount_micro, p_amount_micro, v_available_micro, v_held_micro, v_debt_micro)
  on conflict (org_id, kind, key) do nothing
  returning exists (select from taken) into v_covered;
  if not found then perform netra.retry_movement(); end if;
  if not v_covered and p_amount_micro > 0
     and netra.burn_grants(p_org, 0, p_hold, p_amount_micro) < p_amount_micro then
    -- The wallet still counts a grant that has just expired.
    perform netra.refuse_credits(p_org, p_amount_micro, p_amount_micro);
  end if;
  balance_micro := v_available_micro;
  hold_id := p_hold;
  return next;
end
$$;

-- Grows an active hold: available → held, on the same receipt. Refuses insufficient_credits, conflict, not_found.
create function netra.extend_hold(p_org uuid, p_hold uuid, p_by_micro bigint, p_key text)
  returns table (balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_prior netra.transfer;
  v_hold netra.hold;
  v_wallet netra.wallet;
begin
  perform netra.enter_org(p_org);
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'extend' and t.key = p_key;
  if found then
    perform netra.same_request(v_prior, p_hold, p_by_micro, v_prior.reason, v_prior.agent, v_prior.run_id);
    return query select v_prior.available_after_micro;
    return;
  end if;
  if p_by_micro is null or p_by_micro < 0 then perform netra.refuse_amount(p_by_micro); end if;

  update netra.hold h set held_micro = h.held_micro + p_by_micro
   where h.org_id = p_org and h.hold_id = p_hold and h.state = 'active' returning * into v_hold;
  if not found then perform netra.refuse_hold(p_org, p_hold, 'extend', p_key); end if;
  update netra.wallet w
     set available_micro = w.available_micro - p_by_micro, held_micro = w.held_micro + p_by_micro,
         version = w.version + 1
   where w.org_id = p_org and w.wallet_id = v_hold.wallet_id and w.available_micro - p_by_micro >= w.floor_micro
  returning * into v_wallet;
  if not found then perform netra.refuse_credits(p_org, p_by_micro, 0); end if;
  if netra.burn_grants(p_org, v_hold.wallet_id, p_hold, p_by_micro) < p_by_micro then
    perform netra.refuse_credits(p_org, p_by_micro, p_by_micro);
  end if;
  insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id, hold_id,
    available_micro, held_micro, available_after_micro, held_after_micro, debt_after_micro)
  values (p_org, v_hold.wallet_id, v_wallet.version, 'extend', p_key, p_by_micro, v_hold.reason, v_hold.agent,
    v_hold.run_id, p_hold, -p_by_micro, p_by_micro, v_wallet.available_micro, v_wallet.held_micro, v_wallet.debt_micro)
  on conflict (org_id, kind, key) do nothing;
  if not found then perform netra.retry_movement(); end if;
  return query select v_wallet.available_micro;
end
$$;

-- Grows a hold to cover a capture beyond it, so that work done is never dropped: first from what is available above
-- the floor, and what is not there becomes debt under the same run, which the next grant pays. The caller has locked
-- the hold.
create function netra.cover_overage(p_org uuid, p_hold netra.hold, p_over_micro bigint, p_reason text, p_key text)
  returns void
  language plpgsql as $$
declare
  v_wallet netra.wallet;
  v_taken_micro bigint;
  v_debt_micro bigint;
begin
  select * into strict v_wallet from netra.wallet w
   where w.org_id = p_org and w.wallet_id = p_hold.wallet_id for update;
  v_taken_micro := netra.burn_grants(p_org, p_hold.wallet_id, p_hold.hold_id,
                                     greatest(0, least(p_over_micro, v_wallet.available_micro - v_wallet.floor_micro)));
  v_debt_micro := p_over_micro - v_taken_micro;
  update netra.wallet w
     set available_micro = w.available_micro - v_taken_micro, held_micro = w.held_micro + p_over_micro,
         debt_micro = w.debt_micro + v_debt_micro, version = w.version + 1
   where w.org_id = p_org and w.wallet_id = p_hold.wallet_id returning * into v_wallet;
  update netra.hold h set held_micro = h.held_micro + p_over_micro, debt_micro = h.debt_micro + v_debt_micro
   where h.org_id = p_org and h.hold_id = p_hold.hold_id;
  insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id, hold_id,
    available_micro, held_micro, debt_micro, available_after_micro, held_after_micro, debt_after_micro)
  values (p_org, p_hold.wallet_id, v_wallet.version, 'overage', p_key, p_over_micro, p_reason, p_hold.agent,
    p_hold.run_id, p_hold.hold_id, -v_taken_micro, p_over_micro, -v_debt_micro, v_wallet.available_micro,
    v_wallet.held_micro, v_wallet.debt_micro)
  on conflict (org_id, kind, key) do nothing;
  if not found then perform netra.retry_movement(); end if;
end
$$;

-- Locks the active hold and makes sure that it covers a capture; refuses what is not an active hold.
create function netra.ready_capture(p_org uuid, p_hold uuid, p_amount_micro bigint, p_reason text, p_kind text,
                                    p_key text) returns void
  language plpgsql as $$
declare
  v_hold netra.hold;
begin
  if p_amount_micro is null or p_amount_micro < 0 then perform netra.refuse_amount(p_amount_micro); end if;
  select * into v_hold from netra.hold h
   where h.org_id = p_org and h.hold_id = p_hold and h.state = 'active' for update;
  if not found then perform netra.refuse_hold(p_org, p_hold, p_kind, p_key); end if;
  if p_amount_micro > v_hold.held_micro - v_hold.spent_micro then
    perform netra.cover_overage(p_org, v_hold, p_amount_micro - (v_hold.held_micro - v_hold.spent_micro), p_reason,
                                p_kind || ':' || p_key);
  end if;
end
$$;

-- Charges part of a hold that stays open: held → spent, one transfer with reason, agent and run.
create function netra.capture_hold(p_org uuid, p_hold uuid, p_amount_micro bigint, p_reason text, p_key text)
  returns table (held_micro bigint, spent_micro bigint, balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_prior netra.transfer;
begin
  perform netra.enter_org(p_org);
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'capture' and t.key = p_key;
  if found then
    perform netra.same_request(v_prior, p_hold, p_amount_micro, p_reason, v_prior.agent, v_prior.run_id);
    return query select h.held_micro, h.spent_micro, v_prior.available_after_micro
      from netra.hold h where h.org_id = p_org and h.hold_id = p_hold;
    return;
  end if;
  perform netra.ready_capture(p_org, p_hold, p_amount_micro, p_reason, 'capture', p_key);
  return query
  with h as (
    update netra.hold h set spent_micro = h.spent_micro + p_amount_micro
     where h.org_id = p_org and h.hold_id = p_hold
    returning h.*
  ), w as (
    update netra.wallet w set held_micro = w.held_micro - p_amount_micro, version = w.version + 1
      from h where w.org_id = p_org and w.wallet_id = h.wallet_id
    returning w.*
  ), moved as (
    insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id, hold_id,
      held_micro, spent_micro, available_after_micro, held_after_micro, debt_after_micro)
    select p_org, h.wallet_id, w.version, 'capture', p_key, p_amount_micro, p_reason, h.agent, h.run_id, p_hold,
           -p_amount_micro, p_amount_micro, w.available_micro, w.held_micro, w.debt_micro
      from h cross join w
    on conflict (org_id, kind, key) do nothing
    returning true
  )
  select h.held_micro, h.spent_micro, w.available_micro from h cross join w cross join moved;
  if not found then perform netra.retry_movement(); end if;
  perform netra.spend_receipt(p_org, p_hold, p_amount_micro, false);
end
$$;

-- Ends a hold whose row the caller has locked, whatever its receipt looks like.
create function netra.end_hold(p_org uuid, p_hold uuid, p_capture_micro bigint, p_reason text, p_key text)
  returns table (held_micro bigint, spent_micro bigint, released_micro bigint, balance_micro bigint)
  language plpgsql as $$
begin
  return query
  with h as (
    update netra.hold h
       set state = 'settled', ended_at = now(), spent_micro = h.spent_micro + p_capture_micro,
           released_micro = h.held_micro - h.spent_micro - p_capture_micro
     where h.org_id = p_org and h.hold_id = p_hold
    returning h.*
  ), w as (
    update netra.wallet w
       set available_micro = w.available_micro + h.released_micro,
           held_micro = w.held_micro - h.released_micro - p_capture_micro, version = w.version + 1
      from h where w.org_id = p_org and w.wallet_id = h.wallet_id
    returning w.*
  ), moved as (
    insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, agent, run_id,
      hold_id, available_micro, held_micro, spent_micro, available_after_micro, held_after_micro, debt_after_micro)
    select p_org, h.wallet_id, w.version, 'settle', p_key, p_capture_micro, p_reason, h.agent, h.run_id,
           p_hold, h.released_micro, -h.released_micro - p_capture_micro, p_capture_micro, w.available_micro,
           w.held_micro, w.debt_micro
      from h cross join w
    on conflict (org_id, kind, key) do nothing
    returning true
  )
  select h.held_micro, h.spent_micro, h.released_micro, w.available_micro from h cross join w cross join moved;
  if not found then perform netra.retry_movement(); end if;
  perform netra.spend_receipt(p_org, p_hold, p_capture_micro, true);
end
$$;

-- Ends a hold in one transfer: `p_capture_micro` is charged (held → spent), the rest goes back to the grants of its
-- receipt (held → available). Returns the totals of the hold's life and the balance after. The same key again gives
-- the same answer; another key on an ended hold is a conflict.
--
-- The hot path is one statement, for a hold whose credits came from one grant. It changes nothing if the hold is not
-- active, covers less than the capture, has several grants, or moved while the statement waited for its row (then the
-- receipt that it read is old, and no longer equals what is outstanding). Those cases go on under the hold's lock.
create function netra.settle_hold(p_org uuid, p_hold uuid, p_capture_micro bigint, p_reason text, p_key text)
  returns table (held_micro bigint, spent_micro bigint, released_micro bigint, balance_micro bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_org text := set_config('netra.org_id', p_org::text, true);
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
    returning h.wallet_id, h.run_id, h.agent, h.held_micro, h.spent_micro, h.released_micro, r.grant_id
  ), w as (
    update netra.wallet w
       set available_micro = w.available_micro + h.released_micro,
           held_micro = w.held_micro - h.released_micro - p_capture_micro, version = w.version + 1
      from h where w.org_id = p_org and w.wallet_id = h.wallet_id
    returning w.available_micro, w.held_micro, w.debt_micro, w.version
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
    hold_id, available_micro, held_micro, spent_micro, available_after_micro, held_after_micro, debt_after_micro)
  select p_org, h.wallet_id, w.version, 'settle', p_key, p_capture_micro, p_reason, h.agent, h.run_id, p_hold,
         h.released_micro, -h.released_micro - p_capture_micro, p_capture_micro, w.available_micro, w.held_micro,
         w.debt_micro
    from h cross join w
  on conflict (org_id, kind, key) do nothing
  returning (select h.held_micro from h), (select h.spent_micro from h), t.available_micro, t.available_after_micro
       into held_micro, spent_micro, released_micro, balance_micro;
  if found then
    return next;
    return;
  end if;
  return query select * from netra.known_settlement(p_org, p_hold, p_capture_micro, p_reason, p_key);
  if found then return; end if;
  perform netra.ready_capture(p_org, p_hold, p_capture_micro, p_reason, 'settle', p_key);
  return query select * from netra.end_hold(p_org, p_hold, p_capture_micro, p_reason, p_key);
end
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
  insert into netra.wallet (org_id) values (p_org) on conflict do nothing;
  select * into strict v_wallet from netra.wallet w where w.org_id = p_org and w.wallet_id = 0 for update;
  select * into v_prior from netra.transfer t where t.org_id = p_org and t.kind = 'grant' and t.key = p_key;
  if found then
    perform netra.same_request(v_prior, null, p_amount_micro, p_reason, null, null);
    return query select v_prior.grant_id, 0::bigint, v_prior.available_after_micro;
    return;
  end if;

  v_repaid_micro := least(p_amount_micro, v_wallet.debt_micro);
  update netra.wallet w
     set available_micro = w.available_micro + p_amount_micro - v_repaid_micro,
         debt_micro = w.debt_micro - v_repaid_micro, version = w.version + 1
   where w.org_id = p_org and w.wallet_id = 0 returning * into v_wallet;
  insert into netra.credit_grant (org_id, grant_id, source, priority, expires_at, granted_micro, spent_micro,
    remaining_micro, live, subscription_id, period_start, reason)
  values (p_org, p_grant, p_source,
    coalesce(p_priority, case p_source when 'promotion' then 10 when 'purchase' then 30 else 20 end),
    coalesce(p_expires_at, 'infinity'), p_amount_micro, v_repaid_micro, p_amount_micro - v_repaid_micro,
    p_amount_micro > v_repaid_micro, p_subscription, p_period_start, p_reason);
  insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason, grant_id,
    available_micro, issued_micro, debt_micro, available_after_micro, held_after_micro, debt_after_micro)
  values (p_org, 0, v_wallet.version, 'grant', p_key, p_amount_micro, p_reason, p_grant,
    p_amount_micro - v_repaid_micro, -p_amount_micro, v_repaid_micro, v_wallet.available_micro, v_wallet.held_micro,
    v_wallet.debt_micro);
  return query select p_grant, p_amount_micro, v_wallet.available_micro;
end
$$;

-- Books what remains of grants that have ended: available → expired, one transfer. Credits that are still held are
-- not touched; what comes back from them expires at the next call. Returns the micro-credits that expired.
create or replace function netra.expire_grants(p_org uuid) returns bigint
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_wallet netra.wallet;
  v_expired_micro bigint;
begin
  perform netra.enter_org(p_org);
  select * into v_wallet from netra.wallet w where w.org_id = p_org and w.wallet_id = 0 for update;
  if not found then return 0; end if;
  with due as (
    select g.grant_id, g.remaining_micro from netra.credit_grant g
     where g.org_id = p_org and g.wallet_id = 0 and g.live and g.expires_at <= now() and g.remaining_micro > 0
  ), ended as (
    update netra.credit_grant g
       set expired_micro = g.expired_micro + d.remaining_micro, remaining_micro = 0, live = g.held_micro > 0
      from due d where g.org_id = p_org and g.grant_id = d.grant_id
  )
  select coalesce(sum(d.remaining_micro), 0) into v_expired_micro from due d;
  if v_expired_micro = 0 then return 0; end if;
  update netra.wallet w set available_micro = w.available_micro - v_expired_micro, version = w.version + 1
   where w.org_id = p_org and w.wallet_id = 0 returning * into v_wallet;
  insert into netra.transfer (org_id, wallet_id, version, kind, key, requested_micro, reason,
    available_micro, expired_micro, available_after_micro, held_after_micro, debt_after_micro)
  values (p_org, 0, v_wallet.version, 'expire', 'expire:' || v_wallet.version, v_expired_micro, 'expired',
    -v_expired_micro, v_expired_micro, v_wallet.available_micro, v_wallet.held_micro, v_wallet.debt_micro);
  return v_expired_micro;
end
$$;

-- The balance now. A grant that has ended counts as gone even before it is booked.
create function netra.read_balance(p_org uuid)
  returns table (available_micro bigint, held_micro bigint, debt_micro bigint, version bigint)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform netra.enter_org(p_org);
  return query
  select (w.available_micro - coalesce((
           select sum(g.remaining_micro) from netra.credit_grant g
            where g.org_id = p_org and g.wallet_id = 0 and g.live and g.expires_at <= now()), 0))::bigint,
         w.held_micro, w.debt_micro, w.version
    from netra.wallet w where w.org_id = p_org and w.wallet_id = 0;
end
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
           sum(t.available_micro + t.held_micro + t.issued_micro + t.spent_micro + t.expired_micro + t.debt_micro)
             as rest
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
           sum(g.spent_micro) as spent, sum(g.expired_micro) as expired, sum(g.granted_micro) as granted,
           count(*) filter (where g.granted_micro <> g.spent_micro + g.held_micro + g.remaining_micro + g.expired_micro)
             as wrong
      from netra.credit_grant g group by 1, 2
  ), holds as (
    select h.org_id, h.wallet_id, sum(h.held_micro - h.spent_micro - h.released_micro) filter (where h.state = 'active')
             as active, sum(h.spent_micro) as spent, sum(h.debt_micro) as debt,
           count(*) filter (where h.state = 'settled' and h.held_micro <> h.spent_micro + h.released_micro) as wrong
      from netra.hold h group by 1, 2
  ), receipts as (
    select r.org_id, r.grant_id, sum(r.held_micro - r.spent_micro - r.released_micro) as held
      from netra.hold_grant r group by 1, 2
  ), every as (
    select w.*, coalesce(b.transfers, 0) as transfers, coalesce(b.available, 0) as b_available,
           coalesce(b.held, 0) as b_held, coalesce(b.debt, 0) as b_debt, coalesce(b.spent, 0) as b_spent,
           coalesce(b.issued, 0) as b_issued, coalesce(b.expired, 0) as b_expired, coalesce(b.rest, 0) as b_rest,
           coalesce(p.wrong, 0) as replay_wrong, coalesce(g.remaining, 0) as g_remaining, coalesce(g.held, 0) as g_held,
           coalesce(g.spent, 0) as g_spent, coalesce(g.expired, 0) as g_expired, coalesce(g.granted, 0) as g_granted,
           coalesce(g.wrong, 0) as g_wrong, coalesce(h.active, 0) as h_active, coalesce(h.spent, 0) as h_spent,
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
     ('M2', 'spent of holds = entries of spent', e.b_spent, e.h_spent),
     ('M3', 'grants that are not granted = spent + held + remaining + expired', 0, e.g_wrong),
     ('M3', 'available = remaining of grants', e.g_remaining, e.available_micro),
     ('M3', 'granted = entries of issued', e.b_issued, e.g_granted),
     ('M3', 'expired of grants = entries of expired', e.b_expired, e.g_expired),
     ('M3', 'spent of grants + debt = entries of spent', e.b_spent, e.g_spent + e.debt_micro)
   ) c (invariant, what, expected, found)
   where c.expected is distinct from c.found
  union all
  select g.org_id, 'M3', 'held of grant ' || g.grant_id || ' = its receipts', coalesce(r.held, 0)::text,
         g.held_micro::text
    from netra.credit_grant g left join receipts r using (org_id, grant_id)
   where g.held_micro <> coalesce(r.held, 0);
end
$$;

create or replace function netra.orphan_holds(p_older_ms int, p_limit int) returns table (org_id uuid, hold_id uuid)
  language sql stable security definer set search_path = pg_catalog as $$
    select h.org_id, h.hold_id from netra.hold h
    where h.state = 'active' and h.created_at < now() - p_older_ms * interval '1 millisecond'
      and not exists (select from netra.run r where r.org_id = h.org_id and r.run_id = h.run_id
        and r.state in ('queued', 'running', 'parked'))
    order by h.created_at limit p_limit
  $$;

do $$
declare
  v_function regprocedure;
begin
  grant create on schema netra to netra_system;
  for v_function in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'netra' and p.proname in ('refuse_credits', 'known_hold', 'place_hold', 'extend_hold',
       'cover_overage', 'ready_capture', 'capture_hold', 'end_hold', 'settle_hold', 'read_balance')
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('alter function %s owner to netra_ledger', v_function);
  end loop;
end
$$;
revoke execute on function netra.check_books() from public;
alter function netra.check_books() owner to netra_system;
revoke create on schema netra from netra_system;
grant execute on function
  netra.place_hold(uuid, uuid, bigint, text, text, uuid, text), netra.extend_hold(uuid, uuid, bigint, text),
  netra.capture_hold(uuid, uuid, bigint, text, text), netra.settle_hold(uuid, uuid, bigint, text, text),
  netra.read_balance(uuid), netra.check_books()
  to netra_app, netra_log, netra_system;
