import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { NetraError } from '@netra/contract';

/** Who is at the keyboard, for the record of changes; `--by NAME` says otherwise. */
export function editorName(by: string | undefined): string {
  return by ?? userInfo().username;
}

/** The text of a file that an operator names. Throws `invalid_request` if it cannot be read. */
export async function readEditorFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new NetraError('invalid_request', `${path} cannot be read: ${error instanceof Error ? error.message : ''}`);
  }
}

/** A moment that an operator names, with its zone: `2027-01-01T00:00:00Z`. Throws `invalid_request`. */
export function momentOf(text: string): Date {
  const at = new Date(text);
  if (Number.isNaN(at.getTime()) || !/(Z|[+-]\d\d:\d\d)$/.test(text)) {
    throw new NetraError('invalid_request', `${text} is no moment; write it as 2027-01-01T00:00:00Z`);
  }
  return at;
}

interface Difference {
  readonly subject: string;
  readonly valid_from: Date | string | null;
  readonly action: string;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly row: Readonly<Record<string, unknown>>;
}

/** What an import changes, a line for each difference: `~ mid from now: price_usd 99.99 → 109.99`. */
export function describeDifferences(differences: readonly Difference[], dry_run: boolean): string {
  if (differences.length === 0) return 'nothing to change\n';
  const lines = differences.map(({ subject, valid_from, action, before, row }) => {
    const from = valid_from === null ? 'now' : typeof valid_from === 'string' ? valid_from : valid_from.toISOString();
    const fields = Object.entries(row)
      .filter(([name, value]) => before === null || JSON.stringify(before[name]) !== JSON.stringify(value))
      .map(([name, value]) => `${name} ${before === null ? '' : `${shown(before[name])} → `}${shown(value)}`);
    return `${before === null ? '+' : '~'} ${action} ${subject} from ${from}: ${fields.join(', ')}`;
  });
  return `${[...lines, dry_run ? 'dry run: nothing was changed' : `${lines.length} changed`].join('\n')}\n`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
