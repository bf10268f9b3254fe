import { NetraError } from '@netra/contract';
import { usageColumns, type UsageColumn } from './schemas.ts';

/** `time=TIMESTAMP,input_tokens=ContextTokens` as a map. Throws invalid_request with the columns that there are. */
export function parseColumnMap(text: string): Partial<Record<UsageColumn, string>> {
  const map: Partial<Record<UsageColumn, string>> = {};
  for (const part of text.split(',')) {
    const [ours = '', ...rest] = part.split('=');
    const column = usageColumns.find((name) => name === ours.trim());
    const theirs = rest.join('=').trim();
    if (column === undefined || theirs === '') {
      throw new NetraError(
        'invalid_request',
        `The map's part "${part.slice(0, 80)}" is not like time=TIMESTAMP, with one of: ${usageColumns.join(', ')}`,
        { columns: usageColumns },
      );
    }
    map[column] = theirs;
  }
  return map;
}
