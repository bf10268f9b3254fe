-- not breaking: stub, replaced below
create function netra.tax_of(p_org uuid, p_at timestamptz)
  returns table (rate numeric, name text, note text) language sql stable as $$ select 0::numeric, 'no tax', '' $$;
revoke execute on function netra.tax_of(uuid, timestamptz) from public;
grant execute on function netra.tax_of(uuid, timestamptz) to netra_app, netra_ledger, netra_system;
