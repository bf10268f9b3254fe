import { NetraError } from '@netra/contract';
import type { AdminCommand } from '../admin.ts';

/** The answer of a command: one JSON line for programs (bigints as decimal strings), or `text` for people. */
export function printAnswer(json: boolean | undefined, answer: object, text: () => string): void {
  const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);
  process.stdout.write(json === true ? `${JSON.stringify(answer, plain)}\n` : text());
}

/** The refusal of words that a command does not know. */
export function wrongUsage({ usage }: Pick<AdminCommand, 'usage'>): NetraError {
  return new NetraError('invalid_request', `Usage:\n${usage.map((line) => `  netra admin ${line}`).join('\n')}`);
}
