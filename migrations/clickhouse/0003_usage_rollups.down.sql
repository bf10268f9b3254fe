-- not breaking: the rows stay, and are read as they are
alter table usage drop projection if exists usage_by_hour;

alter table usage drop projection if exists usage_by_day;

alter table usage reset setting materialize_projections_on_insert, materialize_projections_on_merge;
