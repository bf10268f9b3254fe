import { runServerCommand } from './server-command.ts';

/** Brings new databases to the newest schema, with the program that operators use. */
export async function migrateStores(urls: {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
}): Promise<void> {
  const ended = await runServerCommand(['migrate', 'up'], {
    NETRA_ENV: 'test',
    NETRA_POSTGRES_URL: urls.postgres_url,
    NETRA_CLICKHOUSE_URL: urls.clickhouse_url,
  });
  if (ended.code !== 0) throw new Error(`migrate up exited with ${ended.code}:\n${ended.stderr}`);
}
