import type { UsageColumn } from '../schemas.ts';
import { field, listField, moneyText, elapsed_ms, objectField, textField, type ForeignRecord } from './json-fields.ts';

export type MappedRow = Partial<Record<UsageColumn, string>>;
/** A call's columns; why it is none, as a text; undefined = a record that is no call of a language model. */
export type MapRecord = (record: ForeignRecord) => MappedRow | string | undefined;

/** What LiteLLM logs besides calls that have tokens. */
const otherCalls =
  /image|speech|transcription|rerank|moderation|mcp|vector_store|file|batch_retrieve|search|video|ocr/i;
const operations: readonly (readonly [RegExp, string])[] = [
  [/embedding/i, 'embeddings'],
  [/text_completion/i, 'text_completion'],
];

/**
 * A row of LiteLLM's `LiteLLM_SpendLogs`, as `GET /spend/logs` answers it or as it is copied out of the table. Field
 * names: `schema.prisma` of BerriAI/litellm (model LiteLLM_SpendLogs); what is in `metadata` of it: `usage_object`, by
 * the names of OpenAI. `prompt_tokens` counts cached tokens too, also for Anthropic. The table writes 0 where it knows
 * no count, so a call that worked and has no token at all is refused rather than believed.
 */
export const mapLiteLlm: MapRecord = (record) => {
  const call_type = textField(record, 'call_type');
  const input = textField(record, 'prompt_tokens');
  const output = textField(record, 'completion_tokens');
  const failed = textField(record, 'status').toLowerCase() === 'failure';
  const counted = Number(input) > 0 || Number(output) > 0;
  if (!counted && otherCalls.test(call_type)) return undefined;
  if (!counted && !failed) return 'prompt_tokens and completion_tokens are both 0: LiteLLM knew no counts of this call';
  const metadata = objectField(record, 'metadata');
  const usage = objectField(metadata, 'usage_object');
  const start = textField(record, 'startTime', 'start_time');
  const tags = listField(record, 'request_tags').filter((tag) => !tag.startsWith('User-Agent:'));
  return {
    ...countsOf(usage),
    time: start,
    request_id: textField(record, 'request_id'),
    model: textField(record, 'model', 'model_group'),
    provider: textField(record, 'custom_llm_provider'),
    operation: operations.find(([shape]) => shape.test(call_type))?.[1] ?? 'chat',
    user: textField(record, 'end_user', 'user'),
    agent: textField(record, 'agent_id'),
    feature: tags[0] ?? '',
    input_tokens: input,
    output_tokens: output,
    cost_usd: moneyText(field(record, 'spend')),
    status: failed ? 'error' : 'ok',
    error: failed ? errorOf(metadata) : '',
    latency_ms: elapsed_ms(start, textField(record, 'endTime', 'end_time')),
    first_token_ms: elapsed_ms(start, textField(record, 'completionStartTime')),
    conversation_id: textField(record, 'session_id'),
  };
};

function countsOf(usage: ForeignRecord): MappedRow {
  const input = objectField(usage, 'prompt_tokens_details');
  const output = objectField(usage, 'completion_tokens_details');
  return {
    cached_input_tokens: textField(input, 'cached_tokens') || textField(usage, 'cache_read_input_tokens'),
    cache_write_tokens: textField(usage, 'cache_creation_input_tokens') || textField(input, 'cache_creation_tokens'),
    reasoning_tokens: textField(output, 'reasoning_tokens'),
  };
}

function errorOf(metadata: ForeignRecord): string {
  const told = objectField(metadata, 'error_information');
  return textField(told, 'error_class', 'error_code') || 'failure';
}
