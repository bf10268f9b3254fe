import { parseArgs } from 'node:util';
import { NetraError } from '@netra/contract';
import { migrateDown, migrateUp, migrationStatus } from '../platform/index.ts';
import { commonOptions } from './options.ts';
import { withStores } from './with-stores.ts';

const options = {
  ...commonOptions,
  store: { type: 'string', default: 'postgres' },
  steps: { type: 'string', default: '1' },
} as const;

/** `migrate up|down|status`: brings the stores to this version's schema, one step back, or says where they are. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  const [direction] = positionals;
  if (direction !== 'up' && direction !== 'down' && direction !== 'status') {
    throw new NetraError(
      'invalid_request',
      'Usage: netra migrate up|down|status [--store postgres|clickhouse] [--steps N] [--data DIR]',
    );
  }
  await withStores(values, 'info', async ({ urls, log }) => {
    if (direction === 'up') await migrateUp({ urls, log });
    if (direction === 'down')
      await migrateDown({ urls, log, store: storeOf(values.store), steps: Number(values.steps) });
    for (const line of await migrationStatus({ urls, log })) {
      process.stdout.write(
        `${line.store.padEnd(11)} ${String(line.version).padStart(4, '0')} ${line.name.padEnd(24)} ${line.state}\n`,
      );
    }
  });
  return 0;
}

function storeOf(name: string): 'postgres' | 'clickhouse' {
  if (name === 'postgres' || name === 'clickhouse') return name;
  throw new NetraError('invalid_request', '--store must be postgres or clickhouse');
}
