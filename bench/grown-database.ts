import { Client } from 'pg';
import { migrateUp, openLog } from '../server/platform/index.ts';
import { writeHistory } from './write-history.ts';

export interface GrownDatabase {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  drop(): Promise<void>;
}

/** A database of its own in the same server, migrated, with that many transfers, a thousand in each organisation. */
export async function openGrownDatabase(
  { postgres_url, clickhouse_url }: { readonly postgres_url: string; readonly clickhouse_url: string },
  name: string,
  transfers: number,
): Promise<GrownDatabase> {
  await asOwner(postgres_url, `drop database if exists ${name} with (force)`, `create database ${name}`);
  const url = new URL(postgres_url);
  url.pathname = `/${name}`;
  const urls = { postgres_url: url.toString(), clickhouse_url };
  await migrateUp({ urls, log: openLog({ level: 'error' }) });
  await writeHistory(urls.postgres_url, { orgs: Math.ceil(transfers / 1_000), pairs: 500 });
  return { ...urls, drop: () => asOwner(postgres_url, `drop database if exists ${name} with (force)`) };
}

export async function asOwner(postgres_url: string, ...texts: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: postgres_url });
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}
