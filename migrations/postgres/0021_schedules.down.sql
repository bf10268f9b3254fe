-- breaking: forgets the schedules
drop function netra.note_due(uuid, uuid, timestamptz, timestamptz, timestamptz, uuid, jsonb);
drop function netra.take_due_schedules(int, int);
drop function netra.create_schedule(uuid, uuid, text, uuid, text, jsonb, text, text, text, bigint, timestamptz, text, text);
drop function netra.schedules_of(netra.plan_terms);
drop table netra.schedule;
