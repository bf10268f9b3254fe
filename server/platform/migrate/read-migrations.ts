import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NetraError } from '@netra/contract';

export type MigrationStore = 'postgres' | 'clickhouse';

/** One numbered step and its way back, as they stand in `migrations/<store>/NNNN_name.{up,down}.sql`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly up: string;
  readonly down: string;
  /** Of both texts: a step that was edited after it was applied is found by it. */
  readonly checksum: string;
  /** Whether the previous release still runs on the schema after it. */
  readonly breaking: boolean;
}

const home = fileURLToPath(new URL('../../../migrations', import.meta.url));
const fileShape = /^(\d{4})_([a-z][a-z0-9_]*)\.(up|down)\.sql$/;
const headerShape = /^-- (not breaking|breaking): \S/;

/** Reads a store's migrations in order. Throws on a stray file, a number used twice, a missing way back or header. */
export function readMigrations(store: MigrationStore, dir: string = home): readonly Migration[] {
  const files = new Map<string, string>();
  for (const file of readdirSync(join(dir, store)).toSorted()) {
    if (!fileShape.test(file)) throw wrong(store, `${file} is not named NNNN_name.up.sql or NNNN_name.down.sql`);
    files.set(file, readFileSync(join(dir, store, file), 'utf8'));
  }
  const migrations = [...files.keys()]
    .filter((file) => file.endsWith('.up.sql'))
    .map((file) => readOne(store, files, file));
  if (migrations.length * 2 !== files.size) throw wrong(store, 'a .down.sql has no .up.sql');
  const versions = migrations.map(({ version }) => version);
  const twice = versions.find((version, index) => versions.indexOf(version) !== index);
  if (twice !== undefined) throw wrong(store, `the number ${twice} is used twice`);
  return migrations;
}

function readOne(store: MigrationStore, files: ReadonlyMap<string, string>, file: string): Migration {
  const [, version = '', name = ''] = fileShape.exec(file) ?? [];
  const up = files.get(file) ?? '';
  const down = files.get(file.replace('.up.sql', '.down.sql'));
  if (down === undefined) throw wrong(store, `${file} has no way back (.down.sql)`);
  const header = headerShape.exec(up);
  if (!header) throw wrong(store, `the first line of ${file} must say "-- breaking: …" or "-- not breaking: …"`);
  const checksum = createHash('sha256').update(up).update('\0').update(down).digest('hex');
  return { version: Number(version), name, up, down, checksum, breaking: header[1] === 'breaking' };
}

function wrong(store: MigrationStore, problem: string): NetraError {
  return new NetraError('config_invalid', `migrations/${store}: ${problem}`);
}
