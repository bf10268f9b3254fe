import { parseArgs } from 'node:util';
import { NetraError } from '@netra/contract';
import {
  forgetKept,
  listKept,
  migrateDown,
  migrateUp,
  migrationStatus,
  restoreKept,
  type Kept,
  type MigrateOptions,
} from '../platform/index.ts';
import { commonOptions } from './options.ts';
import { withStores } from './with-stores.ts';

const options = {
  ...commonOptions,
  store: { type: 'string', default: 'postgres' },
  steps: { type: 'string', default: '1' },
  step: { type: 'string' },
} as const;

const usage = `Usage: netra migrate up|status [--data DIR]
       netra migrate down [--store postgres|clickhouse] [--steps N] [--data DIR]
       netra migrate kept | restore --step N | forget --step N [--data DIR]`;

/**
 * `migrate up|down|status`: brings the stores to this version's schema, back, or says where they are; `kept`, `restore`
 * and `forget` are about the rows that steps back took away.
 */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  const [verb = ''] = positionals;
  const ask = verbs[verb];
  if (ask === undefined) throw new NetraError('invalid_request', usage);
  await withStores(values, 'info', async ({ urls, log }) => {
    const lines = await ask({ urls, log }, values);
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  });
  return 0;
}

interface Values {
  readonly store: string;
  readonly steps: string;
  readonly step?: string | undefined;
}

const verbs: Readonly<Record<string, (on: MigrateOptions, values: Values) => Promise<readonly string[]>>> = {
  up: async (on) => {
    await migrateUp(on);
    return statusLines(on);
  },
  down: async (on, { store, steps }) => {
    await migrateDown({ ...on, store: storeOf(store), steps: numberOf('--steps', steps) });
    return statusLines(on);
  },
  status: statusLines,
  kept: async (on) => keptLines(await listKept(on)),
  restore: async (on, { step }) => keptLines(await restoreKept({ ...on, version: numberOf('--step', step) })),
  forget: async (on, { step }) => keptLines(await forgetKept({ ...on, version: numberOf('--step', step) })),
};

async function statusLines(on: MigrateOptions): Promise<readonly string[]> {
  const status = await migrationStatus(on);
  return status.map(
    ({ store, version, name, state }) =>
      `${store.padEnd(11)} ${String(version).padStart(4, '0')} ${name.padEnd(24)} ${state}`,
  );
}

function keptLines(kept: readonly Kept[]): readonly string[] {
  if (kept.length === 0) return ['nothing is kept'];
  return kept.map(
    ({ version, name, kind, schema, table, rows, kept_in, kept_at }) =>
      `${String(version).padStart(4, '0')} ${name} ${kept_at.toISOString()} ${kind} of ${schema}.${table}: ${rows} rows in ${kept_in}`,
  );
}

function numberOf(option: string, text: string | undefined): number {
  if (text !== undefined && /^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new NetraError('invalid_request', `${option} takes a number from 1 on\n${usage}`);
}

function storeOf(name: string): 'postgres' | 'clickhouse' {
  if (name === 'postgres' || name === 'clickhouse') return name;
  throw new NetraError('invalid_request', '--store must be postgres or clickhouse');
}
