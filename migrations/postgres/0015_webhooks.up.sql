-- not breaking: stub, replaced below
create function netra.emit_webhook(p_org uuid, p_type text, p_key text, p_data jsonb) returns void
  language sql as $$ select $$;
revoke execute on function netra.emit_webhook(uuid, text, text, jsonb) from public;
grant execute on function netra.emit_webhook(uuid, text, text, jsonb) to netra_app, netra_ledger, netra_system;
