import { randomBytes } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';

/** The same server, another database. */
export function databaseUrl(server_url: string, database: string): string {
  const url = new URL(server_url);
  url.pathname = `/${database}`;
  return url.toString();
}

/** A name that no other suite, run or machine uses. */
export function databaseName(purpose: string): string {
  return `netra_${purpose}_${randomBytes(6).toString('hex')}`;
}

/** One connection as the owner, for the time of `work`. */
export async function withOwner<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** An empty database, or a copy of `template`: copying a migrated one takes a tenth of a second. */
export async function createDatabase(server_url: string, name: string, template?: string): Promise<string> {
  const from = template === undefined ? '' : ` template ${escapeIdentifier(template)}`;
  await withOwner(databaseUrl(server_url, 'postgres'), (client) =>
    client.query(`create database ${escapeIdentifier(name)}${from}`),
  );
  return databaseUrl(server_url, name);
}

/** Ends its connections and drops it. */
export async function dropDatabase(server_url: string, name: string): Promise<void> {
  await withOwner(databaseUrl(server_url, 'postgres'), (client) =>
    client.query(`drop database if exists ${escapeIdentifier(name)} with (force)`),
  );
}
