-- breaking: forgets which calls came in lately
drop function netra.ingest_calls(uuid, jsonb, int);
drop table netra.ingested_call;
