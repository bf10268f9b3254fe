-- breaking: removes threads, messages, runs and the event log
drop function netra.check_run_log(int);
drop function netra.read_log(uuid, uuid, int, int);
drop function netra.release_runs(uuid[], uuid[], uuid[], boolean, int);
drop function netra.heartbeat_runs(uuid[], uuid[], uuid[], int);
drop function netra.claim_runs(text, int, int);
drop function netra.unpark(uuid, uuid, jsonb, boolean);
drop function netra.close_log(uuid, uuid, uuid, int, jsonb, text);
drop function netra.open_log(uuid, uuid, jsonb);
drop function netra.append_events(uuid[], uuid[], uuid[], int[], jsonb, int);
drop function netra.claimed(netra.run);
drop type netra.claimed_run;
drop table netra.event;
drop table netra.run;
drop table netra.message;
drop table netra.thread;
