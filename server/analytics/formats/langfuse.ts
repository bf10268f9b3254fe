import type { MappedRow, MapRecord } from './litellm.ts';
import { elapsed_ms, moneyText, objectField, textField, type ForeignRecord } from './json-fields.ts';

const calls = new Set(['GENERATION', 'EMBEDDING']);

/**
 * An observation of Langfuse: blob storage export (`observations_v2/`, `observations/`), export from the UI, or
 * `GET /api/public/observations`. Field names: langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields
 * (snake case there, camel case in the API and the UI's files). Only generations and embeddings are calls. The kinds in
 * `usage_details` do not overlap: all that read "input" together are the input, all that read "output" the output.
 * `latency` is in seconds or milliseconds by the age of an integration, so it is worked out from both times.
 */
export const mapLangfuse: MapRecord = (record) => {
  const type = textField(record, 'type').toUpperCase();
  if (type !== '' && !calls.has(type)) return undefined;
  const counts = countsOf(record);
  if (counts === undefined) return 'usage_details tells neither input nor output tokens';
  const start = textField(record, 'start_time', 'startTime');
  const parameters = objectField(record, 'model_parameters', 'modelParameters');
  return {
    ...counts,
    ...outcomeOf(record),
    time: start,
    request_id: textField(record, 'id'),
    model: textField(record, 'provided_model_name', 'providedModelName', 'model'),
    operation: type === 'EMBEDDING' ? 'embeddings' : 'chat',
    user: textField(record, 'user_id', 'userId'),
    feature: textField(record, 'trace_name', 'traceName', 'name'),
    cost_usd: costOf(record),
    latency_ms: elapsed_ms(start, textField(record, 'end_time', 'endTime')),
    first_token_ms: elapsed_ms(start, textField(record, 'completion_start_time', 'completionStartTime')),
    max_output_tokens: textField(parameters, 'max_tokens', 'max_completion_tokens', 'maxTokens'),
    conversation_id: textField(record, 'session_id', 'sessionId'),
    trace_id: textField(record, 'trace_id', 'traceId'),
    parent_span_id: textField(record, 'parent_observation_id', 'parentObservationId'),
  };
};

function countsOf(record: ForeignRecord): MappedRow | undefined {
  const details = objectField(record, 'usage_details', 'usageDetails');
  const sum = (shape: RegExp): number | undefined => {
    const kinds = Object.entries(details).filter(([name]) => shape.test(name));
    return kinds.length === 0 ? undefined : kinds.reduce((total, [, count]) => total + Number(count), 0);
  };
  const text = (count: number | undefined): string => (count === undefined ? '' : String(count));
  const [input, output] = [sum(/input/i), sum(/output/i)];
  if (input === undefined && output === undefined) return olderCounts(record);
  return {
    input_tokens: text(input),
    // A call that only reads, an embedding, has no output to tell of.
    output_tokens: text(output ?? 0),
    cached_input_tokens: text(sum(/input.*cache(?:d|_read)|cache_read.*input/i)),
    cache_write_tokens: text(sum(/cache_(?:creation|write).*input|input.*cache_(?:creation|write)/i)),
    reasoning_tokens: text(sum(/output.*reasoning|reasoning.*output/i)),
  };
}

/** Before `usage_details` there were two counts, in the API also as `usage`. */
function olderCounts(record: ForeignRecord): MappedRow | undefined {
  const usage = objectField(record, 'usage');
  const input = textField(record, 'promptTokens', 'inputTokens', 'inputUsage') || textField(usage, 'input');
  const output = textField(record, 'completionTokens', 'outputTokens', 'outputUsage') || textField(usage, 'output');
  if (Number(input) > 0 || Number(output) > 0) return { input_tokens: input, output_tokens: output };
  return undefined;
}

/** 0 with nothing beside it means that Langfuse knows no price. */
function costOf(record: ForeignRecord): string {
  const details = objectField(record, 'cost_details', 'costDetails');
  const total = moneyText(record['total_cost'] ?? record['totalCost'] ?? record['calculatedTotalCost']);
  const known = Object.keys(details).length > 0 || Number(total) > 0;
  return known ? moneyText(details['total']) || total : '';
}

function outcomeOf(record: ForeignRecord): MappedRow {
  if (textField(record, 'level').toUpperCase() !== 'ERROR') return { status: 'ok' };
  const message = textField(record, 'status_message', 'statusMessage');
  return { status: 'error', error: message.slice(0, 128) || 'error' };
}
