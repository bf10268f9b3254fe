import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { plainEnvironment } from './environment.ts';
import { serverEntry } from './repository.ts';

/** Brings new databases to the newest schema, with the program that operators use. */
export async function migrateStores(urls: {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
}): Promise<void> {
  const env = plainEnvironment({
    NETRA_ENV: 'test',
    NETRA_POSTGRES_URL: urls.postgres_url,
    NETRA_CLICKHOUSE_URL: urls.clickhouse_url,
  });
  try {
    await promisify(execFile)(process.execPath, [serverEntry, 'migrate', 'up'], { env });
  } catch (error) {
    const said = typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr) : '';
    throw new Error(`migrate up failed: ${said}`, { cause: error });
  }
}
