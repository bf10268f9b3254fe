-- not breaking: creates the tables of analytics
-- Every statement can be run again. `insert_deduplication_token` works on a plain MergeTree only with a
-- deduplication window; 10,000 blocks outlast any retry (an import of 2 GB is about 1,000 blocks).
-- org_id leads every key, so that one organisation's rows lie together and a query reads no other's.

create table if not exists usage (
  org_id              UUID,
  at                  DateTime64(7, 'UTC'),
  event_id            UUID,
  source              LowCardinality(String),
  import_id           UUID default '00000000-0000-0000-0000-000000000000',
  import_line         UInt64 default 0,
  run_id              UUID default '00000000-0000-0000-0000-000000000000',
  synthetic           Bool default false,
  user_id             String default '',
  agent               LowCardinality(String) default '',
  feature             LowCardinality(String) default '',
  model               LowCardinality(String) default '',
  input_tokens        UInt64,
  cached_input_tokens UInt64 default 0,
  output_tokens       UInt64,
  cost_usd            Decimal(38, 12),
  price_book          LowCardinality(String) default '',
  status              LowCardinality(String) default 'ok',
  error               LowCardinality(String) default '',
  latency_ms          Nullable(UInt32),
  request_id          String default '',
  prompt_hash         String default '',
  prefix_hash         String default '',
  prefix_tokens       UInt64 default 0,
  retry_of            String default '',
  constraint cached_is_part_of_input check cached_input_tokens <= input_tokens,
  constraint cost_not_negative check cost_usd >= 0
) engine = MergeTree
partition by toYYYYMM(at)
order by (org_id, at, event_id)
settings non_replicated_deduplication_window = 10000;

-- What happened, by type, user and time. A row that two senders bring at the same time in different batches is kept
-- once: readers ask with `final`.
create table if not exists event (
  org_id   UUID,
  at       DateTime64(6, 'UTC'),
  event_id UUID,
  type     LowCardinality(String),
  user_id  String default '',
  run_id   UUID default '00000000-0000-0000-0000-000000000000',
  data     String default '{}'
) engine = ReplacingMergeTree
partition by toYYYYMM(at)
order by (org_id, at, event_id)
settings non_replicated_deduplication_window = 10000;

-- What users did.
create table if not exists activity (
  org_id   UUID,
  at       DateTime64(6, 'UTC'),
  event_id UUID,
  user_id  String,
  action   LowCardinality(String),
  run_id   UUID default '00000000-0000-0000-0000-000000000000',
  data     String default '{}'
) engine = ReplacingMergeTree
partition by toYYYYMM(at)
order by (org_id, user_id, at, event_id)
settings non_replicated_deduplication_window = 10000;

-- Exact figures: decimals, never floats.
create table if not exists metric (
  org_id   UUID,
  at       DateTime64(6, 'UTC'),
  event_id UUID,
  name     LowCardinality(String),
  user_id  String default '',
  run_id   UUID default '00000000-0000-0000-0000-000000000000',
  value    Decimal(38, 12)
) engine = ReplacingMergeTree
partition by toYYYYMM(at)
order by (org_id, name, at, event_id)
settings non_replicated_deduplication_window = 10000;

-- M4: one row for each settled run, fed by the outbox; its sum equals what PostgreSQL settled.
create table if not exists charge (
  org_id       UUID,
  at           DateTime64(6, 'UTC'),
  event_id     UUID,
  run_id       UUID,
  user_id      String default '',
  agent        LowCardinality(String) default '',
  reason       LowCardinality(String) default '',
  amount_micro Int64
) engine = MergeTree
partition by toYYYYMM(at)
order by (org_id, at, event_id)
settings non_replicated_deduplication_window = 10000;
