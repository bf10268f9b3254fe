-- not breaking: lets one organisation be examined alone, and explains a breach of its books by the rows at fault
-- Each check becomes two: the formulas, as they are, over what the caller may see (one organisation for netra_app in a
-- tenant: row-level security and the keys make it cost what that organisation costs), and under the old name all
-- organisations, seen as netra_system.
do $$
begin
  -- An owner who is not a superuser must be a member to change its functions.
  if not (select rolsuper from pg_roles where rolname = current_user) then
    execute format('grant netra_system to %I', current_user);
  end if;
end
$$;
alter function netra.check_books() rename to check_seen_books;
alter function netra.check_run_holds() rename to check_seen_run_holds;
alter function netra.check_run_log(int) rename to check_seen_run_log;
alter function netra.read_settled() rename to read_seen_settled;
alter function netra.check_payments() rename to check_seen_payments;
alter function netra.check_seen_books() security invoker;
alter function netra.check_seen_run_holds() security invoker;
alter function netra.check_seen_run_log(int) security invoker;
alter function netra.read_seen_settled() security invoker;
alter function netra.check_seen_payments() security invoker;

create function netra.check_books()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable security definer set search_path = pg_catalog as $$ select * from netra.check_seen_books() $$;
create function netra.check_run_holds()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable security definer set search_path = pg_catalog as $$ select * from netra.check_seen_run_holds() $$;
create function netra.check_run_log(p_stale_ms int) returns table (org_id uuid, run_id uuid, breach text)
  language sql stable security definer set search_path = pg_catalog
  as $$ select * from netra.check_seen_run_log(p_stale_ms) $$;
create function netra.check_payments()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable security definer set search_path = pg_catalog as $$ select * from netra.check_seen_payments() $$;
create function netra.read_settled() returns table (org_id uuid, settled_micro numeric, waiting bigint)
  language sql stable security definer set search_path = pg_catalog as $$ select * from netra.read_seen_settled() $$;

-- The chain of each wallet that the caller may see: every transfer's hash is the link from the hash before it, and the
-- wallet's head is the last one's. Comparing neighbours proves the whole chain, since the first has none before it; so
-- it is one pass in the order of the key, and one edited row is one broken link. A row is a breach, as in check_books().
create function netra.check_seen_chain()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable as $$
  with walk as (
    select t.org_id, t.wallet_id, t.version, t.hash,
           netra.link(t.org_id, t.wallet_id, lag(t.hash) over past, t.version, t.at, t.kind, t.key, t.requested_micro,
             t.reason, t.agent, t.run_id, t.hold_id, t.grant_id, t.user_id, t.model, t.available_micro, t.held_micro,
             t.debt_micro, t.issued_micro, t.spent_micro, t.expired_micro, t.moved_micro) as due,
           lead(t.version) over past is null as last
      from netra.transfer t
    window past as (partition by t.org_id, t.wallet_id order by t.version)
  ), chain as (
    select w.org_id, w.wallet_id, count(*) filter (where w.hash is distinct from w.due) as broken,
           max(w.version) filter (where w.last) as version,
           max(encode(w.hash, 'hex')) filter (where w.last) as head
      from walk w group by 1, 2
  )
  select c.org_id, 'chain', f.what, f.expected, f.found
    from chain c left join netra.wallet w using (org_id, wallet_id)
   cross join lateral (values
     (format('links of wallet %s that do not hold', c.wallet_id), '0', c.broken::text),
     (format('head of wallet %s', c.wallet_id), format('%s after %s', c.head, c.version),
      coalesce(format('%s after %s', encode(w.head, 'hex'), w.version), 'no wallet'))
   ) f (what, expected, found)
   where f.expected is distinct from f.found
  union all
  select w.org_id, 'chain', format('head of wallet %s', w.wallet_id), 'none after 0',
         format('%s after %s', coalesce(encode(w.head, 'hex'), 'none'), w.version)
    from netra.wallet w
   where not exists (select from chain c where c.org_id = w.org_id and c.wallet_id = w.wallet_id)
     and (w.head is not null or w.version <> 0)
$$;
create function netra.check_chain()
  returns table (org_id uuid, invariant text, what text, expected text, found text)
  language sql stable security definer set search_path = pg_catalog as $$ select * from netra.check_seen_chain() $$;

-- The rows at fault in one organisation's books, for people: which row, since when, what it should say. check_books()
-- says that something is wrong, by sums over everything; this compares each row with those that imply it. It runs as
-- its caller, in the tenant. Of each fault the first p_limit rows in order of time; `of` says how many there are.
--
-- A transfer is compared with the one before it, not with the sum of all, so that an edited one does not put every
-- later one in the dock. `since` is the last moment at which the row was still implied by the others, or the first at
-- which it was not; null where no row tells.
create function netra.explain_books(p_org uuid, p_limit int)
  returns table (invariant text, fault text, place text, key jsonb, version bigint, since timestamptz, expected text,
                 found text, "of" bigint)
  language sql stable as $$
  with walk as (
    select t.wallet_id, t.version, t.at, t.kind,
           t.available_micro + t.held_micro + t.issued_micro + t.spent_micro + t.expired_micro + t.debt_micro
             + t.moved_micro as rest, t.hash,
           t.hash = netra.link(t.org_id, t.wallet_id, lag(t.hash) over past, t.version, t.at, t.kind, t.key, t.requested_micro,
             t.reason, t.agent, t.run_id, t.hold_id, t.grant_id, t.user_id, t.model, t.available_micro, t.held_micro,
             t.debt_micro, t.issued_micro, t.spent_micro, t.expired_micro, t.moved_micro)
             as linked,
           t.available_after_micro, t.held_after_micro, t.debt_after_micro,
           coalesce(lag(t.version) over past, 0) as prior_version, lag(t.at) over past as prior_at,
           coalesce(lag(t.available_after_micro) over past, 0) + t.available_micro as available_due,
           coalesce(lag(t.held_after_micro) over past, 0) + t.held_micro as held_due,
           coalesce(lag(t.debt_after_micro) over past, 0) - t.debt_micro as debt_due,
           lead(t.version) over past is null as last
      from netra.transfer t where t.org_id = p_org
    window past as (partition by t.wallet_id order by t.version)
  ), transfers as (
    select f.invariant, f.fault, 'netra.transfer',
           jsonb_build_object('wallet_id', w.wallet_id, 'version', case when f.fault = 'transfer_missing'
             then w.prior_version + 1 else w.version end),
           case when f.fault = 'transfer_missing' then w.prior_version + 1 else w.version end,
           case when f.fault = 'transfer_missing' then coalesce(w.prior_at, w.at) else w.at end, f.expected, f.found
      from walk w
     cross join lateral (values
       ('M1', 'transfer_missing', w.version > w.prior_version + 1, 'versions without a gap',
        format('%s missing before version %s', w.version - w.prior_version - 1, w.version)),
       ('M1', 'transfer_unbalanced', w.rest <> 0, 'entries that sum to 0', format('entries that sum to %s', w.rest)),
       -- A row that is as it was linked did not lie: the wallet was changed under it.
       ('M1', case when w.linked then 'wallet_slipped' else 'transfer_altered' end,
        w.version = w.prior_version + 1 and (w.available_after_micro, w.held_after_micro, w.debt_after_micro)
          is distinct from (w.available_due, w.held_due, w.debt_due),
        format('after it available %s, held %s, debt %s', w.available_due, w.held_due, w.debt_due),
        format('after it available %s, held %s, debt %s', w.available_after_micro, w.held_after_micro,
               w.debt_after_micro)),
       ('chain', 'link_broken', w.version = w.prior_version + 1 and w.linked is not true,
        'the hash that links it to the one before', format('%s', left(encode(w.hash, 'hex'), 16)))
     ) f (invariant, fault, broken, expected, found)
     where f.broken
  ), wallets as (
    select f.invariant, f.fault, f.place, jsonb_build_object('wallet_id', coalesce(w.wallet_id, t.wallet_id)) || f.key,
           t.version, t.at, f.expected, f.found
      from (select * from netra.wallet x where x.org_id = p_org) w
      full join (select * from walk x where x.last) t using (wallet_id)
     cross join lateral (values
       ('M1', 'wallet_missing', w.org_id is null, 'netra.wallet', '{}'::jsonb,
        format('a wallet at version %s', t.version), 'no row'),
       ('M1', 'transfers_cut', w.version > coalesce(t.version, 0), 'netra.transfer',
        jsonb_build_object('version', coalesce(t.version, 0) + 1),
        format('transfers up to version %s', w.version), format('the last is version %s', coalesce(t.version, 0))),
       ('M1', 'transfers_beyond', w.version < t.version, 'netra.transfer',
        jsonb_build_object('version', w.version + 1),
        format('no transfer after version %s', w.version), format('the last is version %s', t.version)),
       ('M1', 'wallet_altered', w.version = coalesce(t.version, 0) and
         (w.available_micro, w.held_micro, w.debt_micro) is distinct from (coalesce(t.available_after_micro, 0),
           coalesce(t.held_after_micro, 0), coalesce(t.debt_after_micro, 0)), 'netra.wallet', '{}',
        format('available %s, held %s, debt %s', coalesce(t.available_after_micro, 0),
               coalesce(t.held_after_micro, 0), coalesce(t.debt_after_micro, 0)),
        format('available %s, held %s, debt %s', w.available_micro, w.held_micro, w.debt_micro)),
       ('chain', 'head_altered', w.version = coalesce(t.version, 0) and w.head is distinct from t.hash, 'netra.wallet',
        '{}', format('head %s', coalesce(left(encode(t.hash, 'hex'), 16), 'none')),
        format('head %s', coalesce(left(encode(w.head, 'hex'), 16), 'none')))
     ) f (invariant, fault, broken, place, key, expected, found)
     where f.broken
  ), booked as (
    select t.hold_id, min(t.version) as first_version, min(t.at) as first_at, max(t.version) as last_version,
           max(t.at) as last_at,
           coalesce(sum(t.held_micro) filter (where t.kind in ('hold', 'extend', 'overage')), 0)::bigint as held,
           coalesce(sum(t.spent_micro) filter (where t.kind in ('capture', 'settle')), 0)::bigint as spent,
           coalesce(sum(t.available_micro) filter (where t.kind = 'settle'), 0)::bigint as released,
           coalesce(-sum(t.spent_micro) filter (where t.kind = 'refund'), 0)::bigint as refunded,
           case when bool_or(t.kind = 'settle') then 'settled' else 'active' end as state
      from netra.transfer t where t.org_id = p_org and t.hold_id is not null group by 1
  ), hold as (
    select * from netra.hold x where x.org_id = p_org
  ), holds as (
    select 'M2', f.fault, 'netra.hold', jsonb_build_object('hold_id', coalesce(h.hold_id, b.hold_id)),
           case f.fault when 'hold_missing' then b.first_version else b.last_version end,
           case f.fault when 'hold_missing' then b.first_at else coalesce(b.last_at, h.created_at) end,
           case f.fault when 'hold_unbooked' then 'a transfer that opens it'
             else format('held %s, spent %s, released %s, refunded %s, %s', b.held, b.spent, b.released, b.refunded,
                         b.state) end,
           case f.fault when 'hold_missing' then 'no row'
             else format('held %s, spent %s, released %s, refunded %s, %s', h.held_micro, h.spent_micro,
                         h.released_micro, h.refunded_micro, h.state) end
      from hold h full join booked b using (hold_id)
     cross join lateral (values
       ('hold_missing', h.org_id is null), ('hold_unbooked', b.state is null),
       ('hold_altered', (h.held_micro, h.spent_micro, h.released_micro, h.refunded_micro, h.state)
          is distinct from (b.held, b.spent, b.released, b.refunded, b.state)
          and h.org_id is not null and b.state is not null)
     ) f (fault, broken)
     where f.broken
  ), receipt as (
    select r.hold_id, sum(r.held_micro - r.spent_micro - r.released_micro)::bigint as open,
           sum(r.spent_micro - r.refunded_micro)::bigint as charged, sum(r.released_micro)::bigint as released,
           count(*) as grants, (array_agg(r.grant_id order by r.ordinal))[1] as grant_id
      from netra.hold_grant r where r.org_id = p_org group by 1
  ), receipts as (
    select 'M3', case when h.org_id is null then 'receipt_stray' else 'receipt_altered' end, 'netra.hold_grant',
           jsonb_build_object('hold_id', coalesce(h.hold_id, r.hold_id))
             || case when r.grants = 1 then jsonb_build_object('grant_id', r.grant_id) else '{}' end,
           b.last_version, b.last_at,
           format('outstanding %s, charged %s, released %s', h.held_micro - h.spent_micro - h.released_micro,
                  h.spent_micro - h.refunded_micro - h.debt_micro, h.released_micro),
           format('outstanding %s, charged %s, released %s', coalesce(r.open, 0), coalesce(r.charged, 0),
                  coalesce(r.released, 0))
      from hold h
      full join receipt r using (hold_id)
      left join booked b on b.hold_id = coalesce(h.hold_id, r.hold_id)
     where (h.held_micro - h.spent_micro - h.released_micro, h.spent_micro - h.refunded_micro - h.debt_micro,
            h.released_micro) is distinct from (coalesce(r.open, 0), coalesce(r.charged, 0), coalesce(r.released, 0))
  ), given as (
    select t.grant_id, min(t.version) as version, min(t.at) as at, -sum(t.issued_micro)::bigint as granted
      from netra.transfer t where t.org_id = p_org and t.grant_id is not null group by 1
  ), taken as (
    select r.grant_id, sum(r.held_micro - r.spent_micro - r.released_micro)::bigint as held,
           sum(r.spent_micro - r.refunded_micro)::bigint as spent, max(b.last_version) as last_version,
           max(b.last_at) as last_at
      from netra.hold_grant r left join booked b using (hold_id) where r.org_id = p_org group by 1
  ), due as (
    -- What came from another wallet has no transfer that names it: only the sum of all moves tells.
    select g.*, v.version as given_version, v.at as given_at, k.last_version, k.last_at,
           coalesce(g.grant_id, v.grant_id) as either_id, v.grant_id is null as unbooked,
           case when g.source = 'moved' then g.granted_micro else v.granted end as granted_due,
           coalesce(k.spent, 0) as spent_due, coalesce(k.held, 0) as held_due
      from (select * from netra.credit_grant x where x.org_id = p_org) g
      full join given v using (grant_id)
      left join taken k on k.grant_id = coalesce(g.grant_id, v.grant_id)
  ), grants as (
    select 'M3', f.fault, 'netra.credit_grant', jsonb_build_object('grant_id', d.either_id),
           coalesce(d.last_version, d.given_version), coalesce(d.last_at, d.given_at, d.effective_at),
           case f.fault when 'grant_unbooked' then 'a transfer that gives it'
             else format('granted %s, spent %s, held %s, the rest %s', d.granted_due, d.spent_due, d.held_due,
                         d.granted_due - d.spent_due - d.held_due) end,
           case f.fault when 'grant_missing' then 'no row'
             else format('granted %s, spent %s, held %s, the rest %s', d.granted_micro, d.spent_micro, d.held_micro,
                         d.remaining_micro + d.expired_micro + d.moved_micro) end
      from due d
     cross join lateral (values
       ('grant_missing', d.org_id is null), ('grant_unbooked', d.unbooked and d.source <> 'moved'),
       ('grant_altered', (d.unbooked is false or d.source = 'moved') and d.org_id is not null and
         (d.granted_micro, d.spent_micro, d.held_micro, d.remaining_micro + d.expired_micro + d.moved_micro)
           is distinct from (d.granted_due, d.spent_due, d.held_due, d.granted_due - d.spent_due - d.held_due))
     ) f (fault, broken)
     where f.broken
  ), wallet_sums as (
    select g.wallet_id, sum(g.remaining_micro) as remaining, sum(g.expired_micro) as expired,
           sum(g.moved_micro) - coalesce(sum(g.granted_micro) filter (where g.source = 'moved'), 0) as moved
      from netra.credit_grant g where g.org_id = p_org group by 1
  ), shifts as (
    select 'M3', f.fault, 'netra.credit_grant', jsonb_build_object('wallet_id', b.wallet_id), null::bigint, f.at,
           f.expected, f.found
      from (select t.wallet_id, sum(t.expired_micro) as expired, sum(t.moved_micro) as moved,
                   max(t.at) filter (where t.kind = 'expire') as expired_at,
                   max(t.at) filter (where t.kind = 'move') as moved_at
              from netra.transfer t where t.org_id = p_org group by 1) b
      left join wallet_sums g using (wallet_id)
     cross join lateral (values
       ('expiry_shifted', b.expired_at, format('expired %s in all, as booked', b.expired),
        format('expired %s in all', coalesce(g.expired, 0)), b.expired <> coalesce(g.expired, 0)),
       ('move_shifted', b.moved_at, format('moved %s in all, as booked', b.moved),
        format('moved %s in all', coalesce(g.moved, 0)), b.moved <> coalesce(g.moved, 0))
     ) f (fault, at, expected, found, broken)
     where f.broken
  ), runs as (
    select 'M2', 'hold_of_ended_run', 'netra.hold', jsonb_build_object('hold_id', h.hold_id, 'run_id', r.run_id),
           null::bigint, r.ended_at, 'settled', format('active, though the run is %s', r.state)
      from netra.run r join netra.hold h on h.org_id = r.org_id and h.hold_id = r.hold_id
     where r.org_id = p_org and r.state in ('completed', 'failed', 'cancelled') and h.state = 'active'
  ), fault (invariant, fault, place, key, version, since, expected, found) as (
    select * from transfers union all select * from wallets union all select * from holds
    union all select * from receipts union all select * from grants union all select * from shifts
    union all select * from runs
  )
  select n.invariant, n.fault, n.place, jsonb_build_object('org_id', p_org) || n.key, n.version, n.since, n.expected,
         n.found, n.faults
    from (select f.*, count(*) over (partition by f.fault) as faults,
                 row_number() over (partition by f.fault order by f.since nulls last, f.version, f.key) as place_in
            from fault f) n
   where n.place_in <= p_limit
   order by n.invariant, n.since nulls last, n.version, n.fault
$$;

-- The rows at fault in one organisation's documents, as explain_books() tells them of its books.
create function netra.explain_invoices(p_org uuid, p_limit int)
  returns table (invariant text, fault text, place text, key jsonb, version bigint, since timestamptz, expected text,
                 found text, "of" bigint)
  language sql stable as $$
  with document as (
    select i.*, netra.hash_document(i) as says from netra.invoice i where i.org_id = p_org
  ), line as (
    select l.*, i.number, i.issued_at, i.invoice_id is null as stray,
           coalesce(lag(l.line) over (partition by l.invoice_id order by l.line), 0) as prior,
           k.invoice_id is not null as rounded, coalesce(k.net_usd, 0) as kept_net, coalesce(k.tax_usd, 0) as kept_tax
      from netra.invoice_line l
      left join document i using (org_id, invoice_id)
      left join netra.rounding k on k.org_id = l.org_id and k.invoice_id = l.invoice_id and k.line = l.line
     where l.org_id = p_org
  ), priced as (
    -- What the exact amount of a line follows from; null where nothing tells.
    select l.*, case l.kind when 'overage' then l.amount_micro * 0.000001 * l.unit_usd
                            when 'purchase' then case when l.net_usd > 0 then p.net_usd end
                            when 'credit' then null else c.exact_usd end as source_usd
      from line l
      left join netra.subscription_charge c on c.org_id = p_org and c.charge_id = l.charge_id
      left join netra.credit_purchase p on p.org_id = p_org and p.purchase_id = l.purchase_id
  ), lines as (
    select 'M5', f.fault, f.place, jsonb_build_object('invoice_id', l.invoice_id, 'number', l.number, 'line',
           case f.fault when 'line_missing' then l.prior + 1 else l.line end), null::bigint, l.issued_at, f.expected, f.found
      from priced l
     cross join lateral (values
       ('line_missing', 'netra.invoice_line', l.line > l.prior + 1, 'lines without a gap',
        format('%s missing before line %s', l.line - l.prior - 1, l.line)),
       ('line_altered', 'netra.invoice_line', l.kind <> 'credit' and l.net_usd <> netra.half_even(l.exact_usd),
        format('net %s, the exact %s half-even', netra.half_even(l.exact_usd), trim_scale(l.exact_usd)),
        format('net %s', l.net_usd)),
       ('line_altered', 'netra.invoice_line', l.kind not in ('credit', 'purchase') and l.exact_tax_usd <> l.net_usd * l.tax_rate,
        format('exact tax %s, net × rate', trim_scale(l.net_usd * l.tax_rate)),
        format('exact tax %s', trim_scale(l.exact_tax_usd))),
       ('line_altered', 'netra.invoice_line', l.kind not in ('credit', 'purchase') and l.tax_usd <> netra.half_even(l.exact_tax_usd),
        format('tax %s, the exact %s half-even', netra.half_even(l.exact_tax_usd), trim_scale(l.exact_tax_usd)),
        format('tax %s', l.tax_usd)),
       ('line_altered', 'netra.invoice_line', l.exact_usd <> l.source_usd,
        format('%s USD, as what it bills', trim_scale(l.source_usd)), format('%s USD', trim_scale(l.exact_usd))),
       ('rounding_altered', 'netra.rounding', (l.exact_usd - l.net_usd, l.exact_tax_usd - l.tax_usd) <> (l.kept_net, l.kept_tax),
        format('kept %s of net, %s of tax', trim_scale(l.exact_usd - l.net_usd), trim_scale(l.exact_tax_usd - l.tax_usd)),
        case when l.rounded then format('kept %s of net, %s of tax', trim_scale(l.kept_net), trim_scale(l.kept_tax))
             else 'no row' end)
     ) f (fault, place, broken, expected, found)
     where f.broken
  ), strays as (
    select 'M5', 'document_missing', 'netra.invoice', jsonb_build_object('invoice_id', n.invoice_id), null::bigint,
           null::timestamptz, format('a document that these %s rows belong to', n.rows), 'no row'
      from (select s.invoice_id, count(*) as rows
              from (select l.invoice_id from line l where l.stray
                    union all
                    select k.invoice_id from netra.rounding k
                     where k.org_id = p_org and not exists (select from document i where i.invoice_id = k.invoice_id)) s
             group by 1) n
  ), sums as (
    select l.invoice_id, count(*) as lines, sum(l.net_usd) as net_usd, sum(l.tax_usd) as tax_usd,
           coalesce(sum(l.net_usd + l.tax_usd) filter (where l.kind = 'purchase'), 0) as prepaid_usd
      from line l group by 1
  ), notes as (
    select i.corrects, sum(i.total_usd) as total_usd from document i where i.corrects is not null group by 1
  ), documents as (
    select 'M5', f.fault, 'netra.invoice', jsonb_build_object('invoice_id', i.invoice_id, 'number', i.number),
           null::bigint, i.issued_at, f.expected, f.found
      from document i left join sums l using (invoice_id) left join notes n on n.corrects = i.invoice_id
     cross join lateral (values
       ('document_altered', i.hash <> i.says, format('the hash %s, as issued', left(encode(i.hash, 'hex'), 16)),
        format('content with the hash %s', left(encode(i.says, 'hex'), 16))),
       ('total_altered', (i.net_usd, i.tax_usd, i.total_usd, i.prepaid_usd, i.due_usd) is distinct from
          (coalesce(l.net_usd, 0), coalesce(l.tax_usd, 0), coalesce(l.net_usd + l.tax_usd, 0),
           coalesce(l.prepaid_usd, 0), coalesce(l.net_usd + l.tax_usd - l.prepaid_usd, 0)),
        format('net %s, tax %s, paid before %s: the sums of its %s lines', coalesce(l.net_usd, 0),
               coalesce(l.tax_usd, 0), coalesce(l.prepaid_usd, 0), coalesce(l.lines, 0)),
        format('net %s, tax %s, total %s, paid before %s, due %s', i.net_usd, i.tax_usd, i.total_usd, i.prepaid_usd,
               i.due_usd)),
       ('credited_too_much', i.kind = 'invoice' and i.total_usd + coalesce(n.total_usd, 0) < 0, format('notes of at most %s', i.total_usd),
        format('notes of %s', -n.total_usd)),
       ('state_altered', i.kind = 'invoice' and i.total_usd + coalesce(n.total_usd, 0) >= 0
          and (n.total_usd is not null and i.total_usd + n.total_usd = 0) <> (i.state = 'credited'),
        format('credited = nothing left; %s are left', i.total_usd + coalesce(n.total_usd, 0)), i.state)
     ) f (fault, broken, expected, found)
     where f.broken
  ), done as (
    select max(s.invoiced_until) as until, max(s.invoiced_at) as at from netra.invoice_schedule s
     where s.org_id = p_org and s.invoiced_at is not null
  ), billed as (
    select 'M5', case when b.what like 'billed of grant%' then 'overage_misbilled'
                      when b.what like 'charge%' then 'charge_misbilled' else 'purchase_misbilled' end as fault,
           case when b.what like 'billed of grant%' then 'netra.credit_grant'
                when b.what like 'charge%' then 'netra.subscription_charge' else 'netra.credit_purchase' end,
           jsonb_build_object(case when b.what like 'billed of grant%' then 'grant_id'
                                   when b.what like 'charge%' then 'charge_id' else 'purchase_id' end,
                              substring(b.what from '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')), null::bigint, d.at,
           b.expected || case when b.what like 'billed of grant%' then ' micro-credits spent' else ' USD' end,
           b.found || ' on documents'
      from netra.check_seen_billed() b left join done d on true
  ), fault (invariant, fault, place, key, version, since, expected, found) as (
    select * from lines union all select * from strays union all select * from documents union all select * from billed
  )
  select n.invariant, n.fault, n.place, jsonb_build_object('org_id', p_org) || n.key, n.version, n.since, n.expected,
         n.found, n.faults
    from (select f.*, count(*) over (partition by f.fault) as faults,
                 row_number() over (partition by f.fault order by f.since nulls last, f.key) as place_in
            from fault f) n
   where n.place_in <= p_limit
   order by n.since nulls last, n.fault, n.key
$$;

-- The same of what was paid: the row that check_seen_payments() names, and when it became what it is.
create function netra.explain_payments(p_org uuid, p_limit int)
  returns table (invariant text, fault text, place text, key jsonb, version bigint, since timestamptz, expected text,
                 found text, "of" bigint)
  language sql stable as $$
  with breach as (
    select b.*, substring(b.what from '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')::uuid as id
      from netra.check_seen_payments() b
  ), fault (fault, place, key, since, expected, found) as (
    select 'purchase_unpaid', 'netra.credit_purchase', jsonb_build_object('purchase_id', c.purchase_id), c.paid_at,
           b.expected, b.found
      from breach b join netra.credit_purchase c on c.org_id = p_org and c.purchase_id = b.id
     where b.what like 'purchase %'
    union all
    select 'invoice_unpaid', 'netra.invoice', jsonb_build_object('invoice_id', i.invoice_id, 'number', i.number),
           coalesce(i.paid_at, i.issued_at), b.expected, format('%s with %s USD to pay', i.state, b.found)
      from breach b join netra.invoice i on i.org_id = p_org and b.what = format('invoice %s that is %s', i.number, i.state)
    union all
    select 'payment_overused', 'netra.payment', jsonb_build_object('payment_id', y.payment_id), y.recorded_at, b.expected,
           format('%s USD more', -b.found::numeric)
      from breach b join netra.payment y on y.org_id = p_org and y.payment_id = b.id
     where b.what like 'payment %'
  )
  select 'M5', n.fault, n.place, jsonb_build_object('org_id', p_org) || n.key, null::bigint, n.since, n.expected, n.found,
         n.faults
    from (select f.*, count(*) over (partition by f.fault) as faults,
                 row_number() over (partition by f.fault order by f.since nulls last, f.key) as place_in
            from fault f) n
   where n.place_in <= p_limit
   order by n.since nulls last, n.fault, n.key
$$;

-- The same of the series: numbers that were drawn and have no document, documents whose number was not drawn, counters
-- that disagree. `since`: when the document before it was issued.
create function netra.explain_series(p_limit int)
  returns table (invariant text, fault text, place text, key jsonb, version bigint, since timestamptz, expected text,
                 found text, "of" bigint)
  language sql stable security definer set search_path = pg_catalog as $$
  with pair as (
    select coalesce(d.seller_id, i.seller_id) as seller_id, coalesce(d.kind, i.kind) as kind,
           coalesce(d.serial, i.serial) as serial, d.number as drawn, i.number, i.org_id, i.invoice_id, i.issued_at,
           max(i.issued_at) over (partition by coalesce(d.seller_id, i.seller_id), coalesce(d.kind, i.kind)
                                  order by coalesce(d.serial, i.serial)) as last_at
      from netra.drawn_number d full join netra.invoice i
        on i.seller_id = d.seller_id and i.kind = d.kind and i.serial = d.serial
  ), counter as (
    select s.seller_id, k.kind, k.drawn, coalesce(max(p.serial), 0) as last, max(p.last_at) as last_at
      from netra.seller s cross join lateral (values ('invoice', s.invoices), ('credit_note', s.credit_notes)) k (kind, drawn)
      left join pair p on p.seller_id = s.seller_id and p.kind = k.kind
     group by 1, 2, 3
  ), fault (fault, place, key, since, expected, found) as (
    select case when p.invoice_id is null then 'number_missing' else 'number_altered' end, 'netra.invoice',
           jsonb_strip_nulls(jsonb_build_object('org_id', p.org_id, 'seller_id', p.seller_id, 'kind', p.kind,
             'serial', p.serial, 'number', coalesce(p.drawn, p.number), 'invoice_id', p.invoice_id)), p.last_at,
           coalesce('number ' || p.drawn, 'a number that was drawn'), coalesce('number ' || p.number, 'no document')
      from pair p where p.drawn is distinct from p.number
    union all
    select 'series_altered', 'netra.seller', jsonb_build_object('seller_id', c.seller_id, 'kind', c.kind), c.last_at,
           format('a counter at %s', c.last), format('a counter at %s', c.drawn)
      from counter c where c.drawn <> c.last
  )
  select 'M5', n.fault, n.place, n.key, null::bigint, n.since, n.expected, n.found, n.faults
    from (select f.*, count(*) over (partition by f.fault) as faults,
                 row_number() over (partition by f.fault order by f.since nulls first, f.key) as place_in
            from fault f) n
   where n.place_in <= p_limit
   order by n.since nulls first, n.fault, n.key
$$;

do $$
declare
  v_function text;
begin
  grant create on schema netra to netra_system;
  foreach v_function in array array['check_books()', 'check_run_holds()', 'check_run_log(int)', 'read_settled()',
    'check_chain()', 'check_payments()', 'explain_series(int)'] loop
    execute format('alter function netra.%s owner to netra_system', v_function);
    execute format('revoke execute on function netra.%s from public', v_function);
    execute format('grant execute on function netra.%s to netra_app, netra_system', v_function);
  end loop;
  revoke create on schema netra from netra_system;
end
$$;
revoke execute on function netra.explain_books(uuid, int), netra.explain_invoices(uuid, int),
  netra.explain_payments(uuid, int), netra.check_seen_chain()
  from public;
grant execute on function netra.explain_books(uuid, int), netra.explain_invoices(uuid, int),
  netra.explain_payments(uuid, int), netra.check_seen_chain(), netra.check_seen_payments()
  to netra_app, netra_system;
-- What they ask for, in a tenant, is netra_app's own.
grant execute on function netra.check_seen_run_holds() to netra_app;
