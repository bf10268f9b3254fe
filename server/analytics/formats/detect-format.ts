import type { FileFormat } from '../schemas.ts';

/** As much of a file as is looked at to tell what it is. */
export const peekedBytes = 64 * 1024;

/** What only the records of one system are called, in JSON and as the columns of a CSV file. */
const marks: readonly (readonly [FileFormat, readonly (readonly string[])[]])[] = [
  ['openai', [['num_model_requests', 'input_tokens']]],
  ['anthropic', [['uncached_input_tokens', 'cache_read_input_tokens'], ['usage_input_tokens_no_cache']]],
  ['litellm', [['request_id', 'call_type', 'spend', 'startTime']]],
  [
    'langfuse',
    [
      ['usage_details', 'trace_id'],
      ['usageDetails', 'traceId'],
      ['usageDetails', 'startTime'],
      ['calculatedTotalCost', 'traceId'],
    ],
  ],
];

/**
 * What kind of file this is the beginning of: by its signature and by names that no other system uses. What is of none
 * is a plain CSV or JSON lines file, read by its own column names: a wrong guess finds no columns and keeps nothing.
 */
export function detectFormat(head: Buffer): FileFormat {
  if (head.subarray(0, 4).toString('latin1') === 'PAR1') return 'parquet';
  const text = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  const json = text.startsWith('{') || text.startsWith('[');
  const header = new Set(
    /^[^\r\n]*/
      .exec(text)?.[0]
      .split(',')
      .map((name) => name.trim().replaceAll('"', '')),
  );
  const has = (name: string): boolean => (json ? new RegExp(`"${name}"\\s*:`).test(text) : header.has(name));
  const found = marks.find(([, sets]) => sets.some((names) => names.every(has)));
  return found?.[0] ?? (json ? 'jsonl' : 'csv');
}
