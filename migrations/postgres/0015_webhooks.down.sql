-- not breaking: nothing stands on it
drop function netra.outbox_waits();
drop function netra.note_thresholds(uuid);
drop function netra.threshold_uses(uuid);
drop function netra.forget_deliveries(int, int, int);
drop function netra.resend_delivery(uuid, uuid, uuid, int);
drop function netra.test_webhook(uuid, uuid, text, int);
drop function netra.room_webhook(uuid, uuid, int);
drop function netra.ready_webhook(uuid, uuid);
drop function netra.record_delivery(uuid, uuid, uuid, uuid, text, int, text, text, bigint, bigint);
drop function netra.disable_webhook(uuid, uuid, text);
drop function netra.claim_deliveries(uuid, int, int);
drop function netra.rotate_webhook(uuid, uuid, text, text, int);
drop function netra.create_webhook(uuid, uuid, text, text, text[], text, text, text, int);
drop function netra.emit_webhook(uuid, text, text, jsonb);
drop table netra.threshold_notice;
drop table netra.webhook_delivery;
drop table netra.webhook_event;
drop table netra.webhook_endpoint;
