-- not breaking: columns with defaults; who does not know them writes and reads as before
-- What the OpenTelemetry conventions for GenAI tell of a call, by our names: the attribute is beside each. Counts are
-- wholes and their parts: cached and written tokens are a part of the input, reasoning is a part of the output.

alter table usage
  add column if not exists provider            LowCardinality(String) default '' after model,       -- gen_ai.provider.name
  add column if not exists response_model      LowCardinality(String) default '' after provider,    -- gen_ai.response.model
  add column if not exists operation           LowCardinality(String) default '' after response_model, -- gen_ai.operation.name
  add column if not exists cache_write_tokens  UInt64 default 0 after cached_input_tokens, -- gen_ai.usage.cache_creation.input_tokens
  add column if not exists reasoning_tokens    UInt64 default 0 after output_tokens,       -- gen_ai.usage.reasoning.output_tokens
  -- What the sender says that the call cost, also where the price book's price is in cost_usd; null = it does not say.
  add column if not exists given_cost_usd      Nullable(Decimal(38, 12)) after cost_usd,
  add column if not exists first_token_ms      Nullable(UInt32) after latency_ms,
  add column if not exists max_output_tokens   Nullable(UInt64) after first_token_ms,      -- gen_ai.request.max_tokens
  add column if not exists finish_reason       LowCardinality(String) default '' after error,       -- gen_ai.response.finish_reasons
  add column if not exists batch               Bool default false after finish_reason,     -- through a batch API, at its price
  add column if not exists streamed            Bool default false after batch,
  add column if not exists service_tier        LowCardinality(String) default '' after streamed,
  add column if not exists service             LowCardinality(String) default '' after feature,     -- service.name
  add column if not exists conversation_id     String default '' after request_id,         -- gen_ai.conversation.id
  add column if not exists trace_id            String default '' after retry_of,           -- hex, lower case
  add column if not exists span_id             String default '' after trace_id,
  add column if not exists parent_span_id      String default '' after span_id,
  -- The system that told of the call: otlp, litellm, langfuse, openai, anthropic; '' = a plain file or our own run.
  add column if not exists origin              LowCardinality(String) default '' after source;

-- Where a row came in with a wrong sum of parts, its insert is refused: importers check first and name the line.
alter table usage add constraint if not exists written_is_part_of_input
  check cached_input_tokens + cache_write_tokens <= input_tokens;

alter table usage add constraint if not exists reasoning_is_part_of_output
  check reasoning_tokens <= output_tokens;
