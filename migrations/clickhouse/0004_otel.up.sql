-- not breaking: adds tables; nothing that is there changes
-- Logs, traces and metrics in the columns that the OpenTelemetry collector's ClickHouse exporter writes and that
-- Grafana's data source reads, names and types as they are there. Ours differ in what a reader does not name:
-- OrgId leads each key, partitions are months, and the plan says how long an organisation's rows are kept. A collector,
-- which names its own columns only, says whose a row is by the resource attribute netra.org_id; who writes for a caller
-- names OrgId, so that no caller says it. Rows without one are the operator's own, and go by the ttl.

create table if not exists otel_logs (
  Timestamp DateTime64(9) codec(Delta(8), ZSTD(1)),
  TimestampTime DateTime default toDateTime(Timestamp),
  TraceId String codec(ZSTD(1)),
  SpanId String codec(ZSTD(1)),
  TraceFlags UInt8,
  SeverityText LowCardinality(String) codec(ZSTD(1)),
  SeverityNumber UInt8,
  ServiceName LowCardinality(String) codec(ZSTD(1)),
  Body String codec(ZSTD(1)),
  ResourceSchemaUrl LowCardinality(String) codec(ZSTD(1)),
  ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ScopeSchemaUrl LowCardinality(String) codec(ZSTD(1)),
  ScopeName String codec(ZSTD(1)),
  ScopeVersion LowCardinality(String) codec(ZSTD(1)),
  ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  LogAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  EventName String codec(ZSTD(1)),
  OrgId UUID default toUUIDOrZero(ResourceAttributes['netra.org_id']),
  index idx_trace_id TraceId type bloom_filter(0.001) granularity 1,
  index idx_res_attr_key mapKeys(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_res_attr_value mapValues(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_key mapKeys(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_value mapValues(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_log_attr_key mapKeys(LogAttributes) type bloom_filter(0.01) granularity 1,
  index idx_log_attr_value mapValues(LogAttributes) type bloom_filter(0.01) granularity 1,
  index idx_body Body type tokenbf_v1(32768, 3, 0) granularity 8
) engine = MergeTree
partition by toYYYYMM(TimestampTime)
order by (OrgId, ServiceName, TimestampTime, Timestamp)
ttl TimestampTime + interval 30 day delete where OrgId = toUUID('00000000-0000-0000-0000-000000000000')
settings non_replicated_deduplication_window = 10000;

create table if not exists otel_traces (
  Timestamp DateTime64(9) codec(Delta(8), ZSTD(1)),
  TraceId String codec(ZSTD(1)),
  SpanId String codec(ZSTD(1)),
  ParentSpanId String codec(ZSTD(1)),
  TraceState String codec(ZSTD(1)),
  SpanName LowCardinality(String) codec(ZSTD(1)),
  SpanKind LowCardinality(String) codec(ZSTD(1)),
  ServiceName LowCardinality(String) codec(ZSTD(1)),
  ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ScopeName String codec(ZSTD(1)),
  ScopeVersion String codec(ZSTD(1)),
  SpanAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  -- Nanoseconds.
  Duration UInt64 codec(T64, ZSTD(1)),
  StatusCode LowCardinality(String) codec(ZSTD(1)),
  StatusMessage String codec(ZSTD(1)),
  Events Nested (
    Timestamp DateTime64(9),
    Name LowCardinality(String),
    Attributes Map(LowCardinality(String), String)
  ) codec(ZSTD(1)),
  Links Nested (
    TraceId String,
    SpanId String,
    TraceState String,
    Attributes Map(LowCardinality(String), String)
  ) codec(ZSTD(1)),
  OrgId UUID default toUUIDOrZero(ResourceAttributes['netra.org_id']),
  index idx_trace_id TraceId type bloom_filter(0.001) granularity 1,
  index idx_res_attr_key mapKeys(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_res_attr_value mapValues(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_span_attr_key mapKeys(SpanAttributes) type bloom_filter(0.01) granularity 1,
  index idx_span_attr_value mapValues(SpanAttributes) type bloom_filter(0.01) granularity 1,
  index idx_duration Duration type minmax granularity 1
) engine = MergeTree
partition by toYYYYMM(Timestamp)
order by (OrgId, ServiceName, SpanName, toDateTime(Timestamp), Timestamp)
ttl toDateTime(Timestamp) + interval 30 day delete where OrgId = toUUID('00000000-0000-0000-0000-000000000000')
settings non_replicated_deduplication_window = 10000;

-- Where a trace lies in time: readers that know only its id look here first. Start and End widen when it is repeated,
-- so a row that is written twice changes nothing.
create table if not exists otel_traces_trace_id_ts (
  TraceId String codec(ZSTD(1)),
  Start SimpleAggregateFunction(min, DateTime) codec(ZSTD(1)),
  End SimpleAggregateFunction(max, DateTime) codec(ZSTD(1)),
  OrgId UUID
) engine = AggregatingMergeTree
partition by toYYYYMM(Start)
order by (OrgId, TraceId)
ttl Start + interval 30 day delete where OrgId = toUUID('00000000-0000-0000-0000-000000000000');

create materialized view if not exists otel_traces_trace_id_ts_mv to otel_traces_trace_id_ts as
select OrgId, TraceId, min(Timestamp) as Start, max(Timestamp) as End
from otel_traces
where TraceId != ''
group by OrgId, TraceId;

create table if not exists otel_metrics_gauge (
  ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ResourceSchemaUrl String codec(ZSTD(1)),
  ScopeName String codec(ZSTD(1)),
  ScopeVersion String codec(ZSTD(1)),
  ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ScopeDroppedAttrCount UInt32 codec(ZSTD(1)),
  ScopeSchemaUrl String codec(ZSTD(1)),
  ServiceName LowCardinality(String) codec(ZSTD(1)),
  MetricName LowCardinality(String) codec(ZSTD(1)),
  MetricDescription String codec(ZSTD(1)),
  MetricUnit String codec(ZSTD(1)),
  Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  StartTimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  TimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  Value Float64 codec(ZSTD(1)),
  Flags UInt32 codec(ZSTD(1)),
  Exemplars Nested (
    FilteredAttributes Map(LowCardinality(String), String),
    TimeUnix DateTime64(9),
    Value Float64,
    SpanId String,
    TraceId String
  ) codec(ZSTD(1)),
  OrgId UUID default toUUIDOrZero(ResourceAttributes['netra.org_id']),
  index idx_res_attr_key mapKeys(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_res_attr_value mapValues(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_key mapKeys(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_value mapValues(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_key mapKeys(Attributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_value mapValues(Attributes) type bloom_filter(0.01) granularity 1
) engine = MergeTree
partition by toYYYYMM(TimeUnix)
order by (OrgId, ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))
ttl toDateTime(TimeUnix) + interval 90 day delete where OrgId = toUUID('00000000-0000-0000-0000-000000000000')
settings non_replicated_deduplication_window = 10000;

create table if not exists otel_metrics_sum (
  ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ResourceSchemaUrl String codec(ZSTD(1)),
  ScopeName String codec(ZSTD(1)),
  ScopeVersion String codec(ZSTD(1)),
  ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ScopeDroppedAttrCount UInt32 codec(ZSTD(1)),
  ScopeSchemaUrl String codec(ZSTD(1)),
  ServiceName LowCardinality(String) codec(ZSTD(1)),
  MetricName LowCardinality(String) codec(ZSTD(1)),
  MetricDescription String codec(ZSTD(1)),
  MetricUnit String codec(ZSTD(1)),
  Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  StartTimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  TimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  Value Float64 codec(ZSTD(1)),
  Flags UInt32 codec(ZSTD(1)),
  Exemplars Nested (
    FilteredAttributes Map(LowCardinality(String), String),
    TimeUnix DateTime64(9),
    Value Float64,
    SpanId String,
    TraceId String
  ) codec(ZSTD(1)),
  AggregationTemporality Int32 codec(ZSTD(1)),
  IsMonotonic Bool codec(Delta, ZSTD(1)),
  OrgId UUID default toUUIDOrZero(ResourceAttributes['netra.org_id']),
  index idx_res_attr_key mapKeys(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_res_attr_value mapValues(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_key mapKeys(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_value mapValues(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_key mapKeys(Attributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_value mapValues(Attributes) type bloom_filter(0.01) granularity 1
) engine = MergeTree
partition by toYYYYMM(TimeUnix)
order by (OrgId, ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))
ttl toDateTime(TimeUnix) + interval 90 day delete where OrgId = toUUID('00000000-0000-0000-0000-000000000000')
settings non_replicated_deduplication_window = 10000;

create table if not exists otel_metrics_histogram (
  ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ResourceSchemaUrl String codec(ZSTD(1)),
  ScopeName String codec(ZSTD(1)),
  ScopeVersion String codec(ZSTD(1)),
  ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ScopeDroppedAttrCount UInt32 codec(ZSTD(1)),
  ScopeSchemaUrl String codec(ZSTD(1)),
  ServiceName LowCardinality(String) codec(ZSTD(1)),
  MetricName LowCardinality(String) codec(ZSTD(1)),
  MetricDescription String codec(ZSTD(1)),
  MetricUnit String codec(ZSTD(1)),
  Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  StartTimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  TimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  Count UInt64 codec(Delta, ZSTD(1)),
  Sum Float64 codec(ZSTD(1)),
  BucketCounts Array(UInt64) codec(ZSTD(1)),
  ExplicitBounds Array(Float64) codec(ZSTD(1)),
  Exemplars Nested (
    FilteredAttributes Map(LowCardinality(String), String),
    TimeUnix DateTime64(9),
    Value Float64,
    SpanId String,
    TraceId String
  ) codec(ZSTD(1)),
  Flags UInt32 codec(ZSTD(1)),
  Min Float64 codec(ZSTD(1)),
  Max Float64 codec(ZSTD(1)),
  AggregationTemporality Int32 codec(ZSTD(1)),
  OrgId UUID default toUUIDOrZero(ResourceAttributes['netra.org_id']),
  index idx_res_attr_key mapKeys(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_res_attr_value mapValues(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_key mapKeys(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_value mapValues(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_key mapKeys(Attributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_value mapValues(Attributes) type bloom_filter(0.01) granularity 1
) engine = MergeTree
partition by toYYYYMM(TimeUnix)
order by (OrgId, ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))
ttl toDateTime(TimeUnix) + interval 90 day delete where OrgId = toUUID('00000000-0000-0000-0000-000000000000')
settings non_replicated_deduplication_window = 10000;

create table if not exists otel_metrics_exponential_histogram (
  ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ResourceSchemaUrl String codec(ZSTD(1)),
  ScopeName String codec(ZSTD(1)),
  ScopeVersion String codec(ZSTD(1)),
  ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ScopeDroppedAttrCount UInt32 codec(ZSTD(1)),
  ScopeSchemaUrl String codec(ZSTD(1)),
  ServiceName LowCardinality(String) codec(ZSTD(1)),
  MetricName LowCardinality(String) codec(ZSTD(1)),
  MetricDescription String codec(ZSTD(1)),
  MetricUnit String codec(ZSTD(1)),
  Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  StartTimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  TimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  Count UInt64 codec(Delta, ZSTD(1)),
  Sum Float64 codec(ZSTD(1)),
  Scale Int32 codec(ZSTD(1)),
  ZeroCount UInt64 codec(ZSTD(1)),
  PositiveOffset Int32 codec(ZSTD(1)),
  PositiveBucketCounts Array(UInt64) codec(ZSTD(1)),
  NegativeOffset Int32 codec(ZSTD(1)),
  NegativeBucketCounts Array(UInt64) codec(ZSTD(1)),
  Exemplars Nested (
    FilteredAttributes Map(LowCardinality(String), String),
    TimeUnix DateTime64(9),
    Value Float64,
    SpanId String,
    TraceId String
  ) codec(ZSTD(1)),
  Flags UInt32 codec(ZSTD(1)),
  Min Float64 codec(ZSTD(1)),
  Max Float64 codec(ZSTD(1)),
  AggregationTemporality Int32 codec(ZSTD(1)),
  OrgId UUID default toUUIDOrZero(ResourceAttributes['netra.org_id']),
  index idx_res_attr_key mapKeys(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_res_attr_value mapValues(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_key mapKeys(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_value mapValues(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_key mapKeys(Attributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_value mapValues(Attributes) type bloom_filter(0.01) granularity 1
) engine = MergeTree
partition by toYYYYMM(TimeUnix)
order by (OrgId, ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))
ttl toDateTime(TimeUnix) + interval 90 day delete where OrgId = toUUID('00000000-0000-0000-0000-000000000000')
settings non_replicated_deduplication_window = 10000;

create table if not exists otel_metrics_summary (
  ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ResourceSchemaUrl String codec(ZSTD(1)),
  ScopeName String codec(ZSTD(1)),
  ScopeVersion String codec(ZSTD(1)),
  ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  ScopeDroppedAttrCount UInt32 codec(ZSTD(1)),
  ScopeSchemaUrl String codec(ZSTD(1)),
  ServiceName LowCardinality(String) codec(ZSTD(1)),
  MetricName LowCardinality(String) codec(ZSTD(1)),
  MetricDescription String codec(ZSTD(1)),
  MetricUnit String codec(ZSTD(1)),
  Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
  StartTimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  TimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
  Count UInt64 codec(Delta, ZSTD(1)),
  Sum Float64 codec(ZSTD(1)),
  ValueAtQuantiles Nested (
    Quantile Float64,
    Value Float64
  ) codec(ZSTD(1)),
  Flags UInt32 codec(ZSTD(1)),
  OrgId UUID default toUUIDOrZero(ResourceAttributes['netra.org_id']),
  index idx_res_attr_key mapKeys(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_res_attr_value mapValues(ResourceAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_key mapKeys(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_scope_attr_value mapValues(ScopeAttributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_key mapKeys(Attributes) type bloom_filter(0.01) granularity 1,
  index idx_attr_value mapValues(Attributes) type bloom_filter(0.01) granularity 1
) engine = MergeTree
partition by toYYYYMM(TimeUnix)
order by (OrgId, ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))
ttl toDateTime(TimeUnix) + interval 90 day delete where OrgId = toUUID('00000000-0000-0000-0000-000000000000')
settings non_replicated_deduplication_window = 10000;
