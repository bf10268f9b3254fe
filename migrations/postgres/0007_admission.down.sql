-- breaking: nothing can be admitted or ended without these functions
drop function netra.orphan_holds(int, int);
drop function netra.give_approval(uuid, uuid, text, boolean, text);
drop function netra.cancel_run(uuid, uuid, text);
drop function netra.admit_runs(jsonb);
drop function netra.finish_runs(jsonb);
drop function netra.park_run(uuid, uuid, uuid, int, jsonb);
drop function netra.finish_run(uuid, uuid, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb);
drop function netra.end_run(netra.run, uuid, int, jsonb, text, jsonb, bigint, uuid, jsonb);
drop function netra.admit_run(uuid, text, text, uuid, uuid, boolean, uuid, uuid, text, text, jsonb, bigint, text, text,
  text, int, uuid);
drop function netra.check_limits(uuid, text, netra.plan_terms);
drop function netra.uuid_floor(timestamptz);
drop function netra.refuse_limit(text, text, bigint, bigint, text, text);
drop index netra.hold_active;
