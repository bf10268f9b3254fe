-- breaking: drops columns with what they hold
alter table usage drop constraint if exists reasoning_is_part_of_output;

alter table usage drop constraint if exists written_is_part_of_input;

alter table usage
  drop column if exists provider,
  drop column if exists response_model,
  drop column if exists operation,
  drop column if exists cache_write_tokens,
  drop column if exists reasoning_tokens,
  drop column if exists given_cost_usd,
  drop column if exists first_token_ms,
  drop column if exists max_output_tokens,
  drop column if exists finish_reason,
  drop column if exists batch,
  drop column if exists streamed,
  drop column if exists service_tier,
  drop column if exists service,
  drop column if exists conversation_id,
  drop column if exists trace_id,
  drop column if exists span_id,
  drop column if exists parent_span_id,
  drop column if exists origin;
