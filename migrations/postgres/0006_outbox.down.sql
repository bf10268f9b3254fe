-- breaking: removes what has not been sent, and the background jobs
drop schema netra_jobs cascade;
drop function netra.outbox_backlog();
drop function netra.clear_outbox(uuid);
drop function netra.take_outbox(uuid, int, int);
drop table netra.outbox_batch;
drop table netra.outbox;
