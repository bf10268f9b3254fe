-- breaking: drops the tables with their rows
drop table if exists otel_metrics_summary sync;

drop table if exists otel_metrics_exponential_histogram sync;

drop table if exists otel_metrics_histogram sync;

drop table if exists otel_metrics_sum sync;

drop table if exists otel_metrics_gauge sync;

drop table if exists otel_traces_trace_id_ts_mv sync;

drop table if exists otel_traces_trace_id_ts sync;

drop table if exists otel_traces sync;

drop table if exists otel_logs sync;
