-- not breaking: adds what the check of invariant M4 reads
-- Per organisation, what its ended runs settled and how many of its charges still wait in the outbox; one snapshot.
create function netra.read_settled() returns table (org_id uuid, settled_micro numeric, waiting bigint)
  language sql stable security definer set search_path = pg_catalog
  as $$
    select r.org_id, sum(h.spent_micro),
      (select count(*) from netra.outbox o where o.org_id = r.org_id and o.kind = 'charge')
    from netra.run r
    join netra.hold h on h.org_id = r.org_id and h.hold_id = r.hold_id
    where r.state in ('completed', 'failed', 'cancelled')
    group by r.org_id
  $$;
grant create on schema netra to netra_system;
alter function netra.read_settled() owner to netra_system;
revoke create on schema netra from netra_system;
grant execute on function netra.read_settled() to netra_app;
