import { escapeIdentifier, type Client } from 'pg';
import { qualified, type Loss } from './lost-data.ts';
import type { Migration } from './read-migrations.ts';

/** Nobody but the owner may look into it: what is kept has no policies any more. */
const createKept = `
create schema if not exists netra_kept;
create table if not exists netra_kept.kept (
  kept_id     bigint generated always as identity primary key,
  version     int not null,
  name        text not null,
  kind        text not null check (kind in ('table', 'columns', 'rows')),
  of_schema   text not null,
  of_table    text not null,
  key         jsonb not null,
  columns     jsonb not null,
  rows        bigint not null,
  kept_at     timestamptz not null default now(),
  restored_at timestamptz
)`;

/**
 * Copies what a step back takes away into tables of `netra_kept`, in the transaction that takes the step: kept and gone
 * are one commit. Nobody writes in between, since the tables are locked first. Empty ones leave nothing.
 */
export async function keepAside(client: Client, file: Migration, losses: readonly Loss[]): Promise<readonly string[]> {
  if (losses.length === 0) return [];
  await client.query(createKept);
  // In one statement and in one order, as each DDL after it would lock them.
  await client.query(`lock table ${losses.map(qualified).join(', ')} in access exclusive mode`);
  const kept: string[] = [];
  for (const loss of losses) {
    const table = await keep(client, file, loss);
    if (table !== null) kept.push(table);
  }
  return kept;
}

async function keep(client: Client, { version, name }: Migration, loss: Loss): Promise<string | null> {
  const { kind, schema, table, columns, key } = loss;
  const values = [version, name, kind, schema, table, JSON.stringify(key), JSON.stringify(columns)];
  const { rows } = await client.query<{ kept_id: string }>(
    `insert into netra_kept.kept (version, name, kind, of_schema, of_table, key, columns, rows)
     values ($1, $2, $3, $4, $5, $6, $7, 0) returning kept_id`,
    values,
  );
  const kept_id = rows[0]?.kept_id ?? '';
  const copied = await withoutPolicies(client, loss, () =>
    client.query(`create table ${keptTable(kept_id)} as ${selectLost(loss)}`),
  );
  if (copied.rowCount === 0) {
    await client.query(`drop table ${keptTable(kept_id)}; delete from netra_kept.kept where kept_id = ${kept_id}`);
    return null;
  }
  await client.query('update netra_kept.kept set rows = $2 where kept_id = $1', [kept_id, copied.rowCount]);
  return keptTable(kept_id);
}

/** As text: a type of the schema may go with it. Of columns only what was written, which a null was not. */
function selectLost({ kind, schema, table, columns, key }: Loss): string {
  const all =
    kind === 'columns' ? [...key, ...columns.filter(({ name }) => !key.some((k) => k.name === name))] : columns;
  const list = all.map(({ name }) => `${escapeIdentifier(name)}::text as ${escapeIdentifier(name)}`).join(', ');
  const written = columns.map(({ name }) => `${escapeIdentifier(name)} is not null`).join(' or ');
  return `select ${list} from ${qualified({ schema, table })}${kind === 'columns' ? ` where ${written}` : ''}`;
}

export function keptTable(kept_id: string): string {
  return `netra_kept.kept_${BigInt(kept_id)}`;
}

/** The owner, if it is no superuser, sees no rows of a table whose security is forced: it is lifted for this transaction's copy. */
export async function withoutPolicies<T>(
  client: Client,
  table: { readonly schema: string; readonly table: string; readonly forced: boolean },
  work: () => Promise<T>,
): Promise<T> {
  if (!table.forced) return work();
  await client.query(`alter table ${qualified(table)} no force row level security`);
  const result = await work();
  await client.query(`alter table ${qualified(table)} force row level security`);
  return result;
}
