import { NetraError } from '@netra/contract';
import { escapeIdentifier, type Client } from 'pg';
import { keptTable, withoutPolicies } from './keep-aside.ts';
import { qualified, type Column } from './lost-data.ts';

/** Rows that a step back took away, and that `netra_kept` still has. */
export interface Kept {
  readonly kept_id: string;
  readonly version: number;
  readonly name: string;
  readonly kind: 'table' | 'columns' | 'rows';
  readonly schema: string;
  readonly table: string;
  readonly rows: string;
  /** Where they are: a table with these columns as text. */
  readonly kept_in: string;
  readonly kept_at: Date;
  readonly restored_at: Date | null;
}

interface KeptRow extends Kept {
  readonly key: readonly Column[];
  readonly columns: readonly Column[];
}

export async function listKept(client: Client): Promise<readonly KeptRow[]> {
  const known = await client.query<{ there: boolean }>("select to_regclass('netra_kept.kept') is not null as there");
  if (!known.rows[0]?.there) return [];
  const { rows } = await client.query<Omit<KeptRow, 'kept_in'>>(
    `select kept_id::text, version, name, kind, of_schema as schema, of_table as table, rows::text, key, columns,
       kept_at, restored_at from netra_kept.kept order by kept_id`,
  );
  return rows.map((row) => ({ ...row, kept_in: keptTable(row.kept_id) }));
}

/**
 * Puts back what is kept of a version, once its step was taken again; all or nothing, in the caller's transaction. What
 * was written since is newer and stays. Rows that a step back rewrote are left to a person: both states may be wanted.
 * Throws `not_found`, and `conflict` where the schema has no place for it.
 */
export async function restoreKept(client: Client, version: number): Promise<readonly Kept[]> {
  const kept = (await listKept(client)).filter((each) => each.version === version && each.restored_at === null);
  const possible = kept.filter(({ kind }) => kind !== 'rows');
  if (possible.length === 0) {
    const [rewritten] = kept;
    const why = rewritten === undefined ? 'Nothing is kept' : `Only rewritten rows are kept (${rewritten.kept_in})`;
    throw new NetraError('not_found', `${why} of step ${version} that is not restored; see netra migrate kept`);
  }
  // A table may stand on another: what is refused for a missing row is tried again after the others.
  let left = possible;
  while (left.length > 0) {
    const failures: { readonly each: KeptRow; readonly error: unknown }[] = [];
    for (const each of left) {
      const error = await tryOne(client, each);
      if (error !== null) failures.push({ each, error });
    }
    if (failures.length === left.length) throw refusal(failures[0]?.each, failures[0]?.error);
    left = failures.map(({ each }) => each);
  }
  await client.query('update netra_kept.kept set restored_at = now() where kept_id = any($1)', [
    possible.map(({ kept_id }) => kept_id),
  ]);
  return possible;
}

/** Lets go of what is kept of a version: personal data must not outlive its deletion elsewhere. */
export async function forgetKept(client: Client, version: number): Promise<readonly Kept[]> {
  const kept = (await listKept(client)).filter((each) => each.version === version);
  for (const { kept_in } of kept) await client.query(`drop table if exists ${kept_in}`);
  if (kept.length > 0) await client.query('delete from netra_kept.kept where version = $1', [version]);
  return kept;
}

async function tryOne(client: Client, each: KeptRow): Promise<unknown> {
  await client.query('savepoint one');
  try {
    const { rows } = await client.query<{ forced: boolean }>(
      'select relforcerowsecurity as forced from pg_class where oid = to_regclass($1)',
      [qualified(each)],
    );
    const forced = rows[0]?.forced ?? false;
    await withoutPolicies(client, { ...each, forced }, async () => client.query(await putBack(client, each)));
    await client.query('release savepoint one');
    return null;
  } catch (error) {
    await client.query('rollback to savepoint one');
    return error;
  }
}

async function putBack(client: Client, each: KeptRow): Promise<string> {
  const name = escapeIdentifier;
  const cast = ({ name: column, type }: Column): string => `k.${name(column)}::${type}`;
  if (each.kind === 'table') {
    const columns = each.columns.map((column) => name(column.name)).join(', ');
    return `insert into ${qualified(each)} (${columns}) overriding system value
      select ${each.columns.map(cast).join(', ')} from ${each.kept_in} k on conflict do nothing`;
  }
  const { rows } = await client.query<{ name: string; fallback: string | null }>(
    `select a.attname as name, pg_get_expr(d.adbin, d.adrelid) as fallback from pg_attribute a
     left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum where a.attrelid = to_regclass($1)`,
    [qualified(each)],
  );
  const fallbacks = new Map(rows.map((row) => [row.name, row.fallback]));
  const sets = each.columns.map((column) => {
    const fallback = fallbacks.get(column.name) ?? 'null';
    // A default that is computed cannot be told from a value that was written: what is kept wins.
    if (fallback.includes('(')) return `${name(column.name)} = ${cast(column)}`;
    const current = `t.${name(column.name)}`;
    return `${name(column.name)} = case when ${current} is not distinct from ${fallback} then ${cast(column)} else ${current} end`;
  });
  const same = each.key.map((column) => `t.${name(column.name)} = ${cast(column)}`).join(' and ');
  if (same === '') throw new NetraError('conflict', `${qualified(each)} has no primary key`);
  return `update ${qualified(each)} t set ${sets.join(', ')} from ${each.kept_in} k where ${same}`;
}

function refusal(each: KeptRow | undefined, cause: unknown): NetraError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const what = each === undefined ? '' : `${qualified(each)} from ${each.kept_in}`;
  return new NetraError('conflict', `Cannot restore ${what}: ${why}. Take the step again first (netra migrate up)`, {});
}
