import { readFileSync } from 'node:fs';

/** Why a test file exists, in the words of the business. Every contract file opens with it. */
export interface ValueHeader {
  readonly segment: string;
  readonly goal: string;
  readonly value: string;
  readonly impact: string;
}

const fields: readonly (readonly [keyof ValueHeader, RegExp])[] = [
  ['segment', /^\s*\*\s*Segment:\s*(\S.*)$/m],
  ['goal', /^\s*\*\s*Goal:\s*(\S.*)$/m],
  ['value', /^\s*\*\s*Value:\s*(\S.*)$/m],
  ['impact', /^\s*\*\s*Strategic impact:\s*(\S.*)$/m],
];

/**
 * Reads the business-value header of a test file: its first comment, with the lines `Segment:`, `Goal:`, `Value:` and
 * `Strategic impact:`. Throws an Error that names each missing line.
 */
export function readValueHeader(path: string): ValueHeader {
  const source = readFileSync(path, 'utf8');
  const comment = /^\/\*\*[\s\S]*?\*\//.exec(source)?.[0] ?? '';
  const found = fields.map(([field, pattern]) => [field, pattern.exec(comment)?.[1]?.trim()] as const);
  const missing = found.filter(([, text]) => text === undefined).map(([field]) => field);
  if (missing.length > 0) throw new Error(`${path}: its first comment lacks ${missing.join(', ')}`);
  return Object.fromEntries(found) as unknown as ValueHeader;
}
