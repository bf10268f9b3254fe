import { createClient, type ClickHouseClient } from '@clickhouse/client';

/** One client of the server, for the time of `work`. */
export async function withClickHouse<T>(url: string, work: (client: ClickHouseClient) => Promise<T>): Promise<T> {
  const client = createClient({ url, request_timeout: 30_000 });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** The same server, another database. */
export function clickHouseUrl(server_url: string, database: string): string {
  const url = new URL(server_url);
  url.pathname = `/${database}`;
  return url.toString();
}

/** An empty database; resolves to its URL. The name is ours (`databaseName`), never a caller's. */
export async function createClickHouseDatabase(server_url: string, name: string): Promise<string> {
  await withClickHouse(clickHouseUrl(server_url, 'default'), (client) =>
    client.command({ query: `create database ${quoted(name)}` }),
  );
  return clickHouseUrl(server_url, name);
}

export async function dropClickHouseDatabase(server_url: string, name: string): Promise<void> {
  await withClickHouse(clickHouseUrl(server_url, 'default'), (client) =>
    client.command({ query: `drop database if exists ${quoted(name)}` }),
  );
}

function quoted(name: string): string {
  if (!/^[a-z0-9_]+$/.test(name)) throw new Error(`not a database name of ours: ${name}`);
  return `\`${name}\``;
}
