import { escapeIdentifier, type Client } from 'pg';

/** What a step back takes away: a whole table, columns of one, or rows that it rewrites or deletes. */
export interface Loss {
  readonly kind: 'table' | 'columns' | 'rows';
  readonly schema: string;
  readonly table: string;
  /** What is gone, or all for `table` and `rows`. */
  readonly columns: readonly Column[];
  /** Of the primary key: what kept columns are put back by. */
  readonly key: readonly Column[];
  /** Row-level security holds for the owner too, and would hide the rows from it. */
  readonly forced: boolean;
}

export interface Column {
  readonly name: string;
  readonly type: string;
}

interface Stored extends Column {
  readonly number: number;
  readonly generated: boolean;
}

interface Table {
  readonly oid: string;
  readonly schema: string;
  readonly table: string;
  /** Another one: truncated, or rewritten. */
  readonly file: string | null;
  readonly parent: string | null;
  readonly forced: boolean;
  readonly key: readonly number[] | null;
  readonly columns: readonly Stored[];
}

/** Migrations' own memory and what was kept are not the schema's. */
export const userSchemas = `n.nspname not in ('information_schema', 'netra_migration', 'netra_kept') and n.nspname not like 'pg\\_%'`;

const tablesText = `
select c.oid::text as oid, n.nspname as schema, c.relname as table, c.relforcerowsecurity as forced,
  pg_relation_filenode(c.oid)::text as file,
  (select i.inhparent::text from pg_inherits i where i.inhrelid = c.oid and c.relispartition) as parent,
  (select x.indkey::int2[]::int[] from pg_index x where x.indrelid = c.oid and x.indisprimary) as key,
  coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'number', a.attnum, 'generated', a.attgenerated <> '',
    'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum) filter (where a.attnum is not null), '[]') as columns
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p') and c.relpersistence <> 't' and ${userSchemas}
group by c.oid, n.nspname order by c.oid`;

const changedText = `
select relid::text as oid from pg_stat_xact_user_tables where n_tup_upd > 0 or n_tup_del > 0`;

/**
 * What `back` would take away. Found by doing it and undoing it: the catalogue is compared before and after, so no step
 * has to say it, or can forget to. To be called in a transaction; what `back` locked is no longer locked afterwards.
 */
export async function findLosses<Seen>(
  client: Client,
  back: () => Promise<Seen>,
): Promise<{ readonly losses: readonly Loss[]; readonly seen: Seen }> {
  const before = await readTables(client);
  await client.query('savepoint rehearsal');
  const seen = await back();
  const after = await readTables(client);
  const { rows } = await client.query<{ oid: string }>(changedText);
  await client.query('rollback to savepoint rehearsal; release savepoint rehearsal');
  const changed = new Set(rows.map(({ oid }) => oid));
  const losses = [...before.values()].flatMap((table) => {
    // A partition goes with the whole that it is a part of.
    if (table.parent !== null && !after.has(table.parent)) return [];
    return lossOf(table, after.get(table.oid), changed.has(table.oid));
  });
  return { losses, seen };
}

async function readTables(client: Client): Promise<ReadonlyMap<string, Table>> {
  const { rows } = await client.query<Table>(tablesText);
  return new Map(rows.map((row) => [row.oid, row]));
}

function lossOf(before: Table, after: Table | undefined, changed: boolean): readonly Loss[] {
  const { schema, table, forced } = before;
  const stored = before.columns.filter(({ generated }) => !generated);
  const key = before.columns.filter(({ number }) => before.key?.includes(number) === true);
  if (after === undefined) return [{ kind: 'table', schema, table, forced, key, columns: stored }];
  const left = new Map(after.columns.map((column) => [column.number, column.type]));
  const gone = stored.filter(({ number, type }) => left.get(number) !== type);
  const rewritten = changed || (gone.length === 0 && before.file !== after.file);
  if (rewritten) return [{ kind: 'rows', schema, table, forced, key, columns: stored }];
  return gone.length === 0 ? [] : [{ kind: 'columns', schema, table, forced, key, columns: gone }];
}

export function qualified({ schema, table }: { readonly schema: string; readonly table: string }): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
}
