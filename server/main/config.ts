import { parseArgs } from 'node:util';
import { NetraError } from '@netra/contract';
import { describeConfig } from '../platform/index.ts';
import { commonOptions, configFrom } from './options.ts';

/** `config check`: names every bad key at once, or says what this node would run with; no value of a secret. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...commonOptions, json: { type: 'boolean' } },
  });
  if (positionals.join(' ') !== 'check') throw new NetraError('invalid_request', 'Usage: netra config check [--json]');
  const described = describeConfig(configFrom(values));
  process.stdout.write(values.json === true ? `${JSON.stringify(described)}\n` : table(described));
  return 0;
}

function table(described: ReturnType<typeof describeConfig>): string {
  return described.map(({ key, value, source }) => `${key.padEnd(32)} ${source.padEnd(12)} ${value}\n`).join('');
}
