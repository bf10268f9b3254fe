-- not breaking: from then on usage is kept for ever
drop function netra.set_usage_retention(text, text, timestamptz, int);
drop function netra.usage_retention(uuid, int);
drop table netra.plan_usage_retention;
