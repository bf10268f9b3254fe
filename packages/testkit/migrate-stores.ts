import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withClickHouse } from './clickhouse-database.ts';
import { withOwner } from './database.ts';
import { repositoryRoot } from './repository.ts';

function steps(store: string): readonly string[] {
  const folder = join(repositoryRoot, 'migrations', store);
  const names = readdirSync(folder).filter((file) => file.endsWith('.up.sql'));
  return names.toSorted().map((name) => readFileSync(join(folder, name), 'utf8'));
}

/** Brings new databases to the newest schema. */
export async function migrateStores(urls: {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
}): Promise<void> {
  await withOwner(urls.postgres_url, async (client) => {
    for (const step of steps('postgres')) await client.query(step);
  });
  await withClickHouse(urls.clickhouse_url, async (client) => {
    const statements = steps('clickhouse').flatMap((step) => step.replaceAll(/--.*$/gm, '').split(';'));
    for (const query of statements.filter((statement) => statement.trim() !== '')) await client.command({ query });
  });
}
