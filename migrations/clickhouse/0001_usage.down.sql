-- breaking: drops the tables of analytics with their rows
drop table if exists charge sync;

drop table if exists metric sync;

drop table if exists activity sync;

drop table if exists event sync;

drop table if exists usage sync;
