-- breaking: forgets which usage imports were done; the rows themselves lie in ClickHouse
drop function netra.end_usage_import(uuid, uuid, uuid, jsonb);
drop function netra.renew_usage_import(uuid, uuid, uuid, int);
drop function netra.begin_usage_import(uuid, uuid, text, text, uuid, int);
drop table netra.usage_import;
