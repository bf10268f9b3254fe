-- not breaking: nothing stands on it
drop function netra.emit_webhook(uuid, text, text, jsonb);
