import { NetraError } from '@netra/contract';
import { detectFormat, peekedBytes } from './formats/detect-format.ts';
import { mapLangfuse } from './formats/langfuse.ts';
import { mapLiteLlm, type MapRecord } from './formats/litellm.ts';
import { peekSource } from './formats/peek-source.ts';
import { readForeign } from './formats/read-foreign.ts';
import { readRecords, type UsageRecord } from './read-records.ts';
import type { FileFormat, UsageColumn } from './schemas.ts';

/** Files whose records are calls. */
export type CallFormat = 'csv' | 'jsonl' | 'litellm' | 'langfuse';

const foreign: Readonly<Record<'litellm' | 'langfuse', MapRecord>> = { litellm: mapLiteLlm, langfuse: mapLangfuse };
/** What is recognised only to say what it is and what to do instead. */
const refusals: Readonly<Record<Exclude<FileFormat, CallFormat>, string>> = {
  parquet: 'This is a Parquet file. Save it as CSV or JSON lines first',
  openai: 'This is a usage report of OpenAI: it has sums over hours or days, not calls. Import the log of your gateway',
  anthropic:
    'This is a usage report of Anthropic: it has sums over hours or days, not calls. Import the log of your gateway',
};

export interface OpenedRecords {
  readonly format: CallFormat;
  readonly records: AsyncIterable<readonly UsageRecord[]>;
}

/**
 * One reader for each format, one shape out. `auto` is told from the file's beginning. Throws invalid_usage_file for
 * what is recognised and has no calls in it, and for a column map where the columns are another system's.
 */
export async function openRecords(
  source: AsyncIterable<Uint8Array>,
  options: {
    readonly format: 'auto' | CallFormat;
    readonly map: Readonly<Partial<Record<UsageColumn, string>>>;
    readonly model?: string | undefined;
  },
): Promise<OpenedRecords> {
  const { head, bytes } = await peekSource(source, peekedBytes);
  const mapped = Object.keys(options.map).length > 0;
  const found = options.format === 'auto' ? detectFormat(head) : options.format;
  if (found === 'csv' || found === 'jsonl') {
    const given = new Set<UsageColumn>(options.model === undefined ? [] : ['model']);
    return { format: found, records: readRecords(bytes, { format: found, map: options.map, given }) };
  }
  if (found === 'parquet' || found === 'openai' || found === 'anthropic')
    throw new NetraError('invalid_usage_file', refusals[found], { format: found, errors: [] });
  if (mapped)
    throw new NetraError('invalid_request', `A map is for your own columns; those of ${found} are known: leave it out`);
  return { format: found, records: readForeign(bytes, head, foreign[found]) };
}
