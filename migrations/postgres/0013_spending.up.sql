-- not breaking: stubs, replaced below
create function netra.line_of(p_org uuid)
  returns table (source text, limit_micro bigint, usd_credit numeric, period_start timestamptz, period_end timestamptz)
  language sql stable as $$ select null::text, 0::bigint, null::numeric, now(), now() where false $$;
create function netra.note_spending(p_org uuid, p_user text, p_at timestamptz, p_delta_micro bigint, p_enforce boolean)
  returns void language sql as $$ select $$;
revoke execute on function netra.line_of(uuid), netra.note_spending(uuid, text, timestamptz, bigint, boolean) from public;
grant execute on function netra.line_of(uuid), netra.note_spending(uuid, text, timestamptz, bigint, boolean)
  to netra_app, netra_ledger, netra_system;
