import type { Client, QueryResult } from 'pg';
import { userSchemas } from './lost-data.ts';
import { splitPostgres } from './split-postgres.ts';

const tablesText = `
select c.oid::text as oid, n.nspname || '.' || c.relname as name
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't' and ${userSchemas}
order by c.oid`;

// A transaction keeps its locks: what a statement has locked against writers, or written to, is there after it.
const lockedText = `
select distinct l.relation::text as oid from pg_locks l
where l.locktype = 'relation' and l.pid = pg_backend_pid() and l.mode not in ('AccessShareLock', 'RowShareLock')`;

interface Table {
  readonly oid: string;
  readonly name: string;
}

/**
 * Runs a script statement by statement in the transaction that is open, and calls back after each. Resolves to the
 * tables that it made, changed, wrote to or dropped, each once, in the order in which it came to them.
 */
export async function runStatements(
  client: Client,
  script: string,
  onStatement?: (number: number) => void,
): Promise<readonly string[]> {
  const known = new Map<string, string>();
  const learn = ({ rows }: QueryResult<Table>): void => rows.forEach(({ oid, name }) => known.set(oid, name));
  learn(await client.query<Table>(tablesText));
  const touched = new Set<string>();
  for (const [index, statement] of splitPostgres(script).entries()) {
    const locked = await lastOf<Pick<Table, 'oid'>>(client, `${statement};\n${lockedText}`);
    const fresh = locked.rows.map(({ oid }) => oid).filter((oid) => !touched.has(oid));
    // By then a table that was dropped has no name any more, and one that was made has one.
    if (fresh.some((oid) => !known.has(oid))) learn(await client.query<Table>(tablesText));
    for (const oid of fresh.toSorted((a, b) => Number(a) - Number(b))) touched.add(oid);
    onStatement?.(index + 1);
  }
  return [...new Set([...touched].flatMap((oid) => known.get(oid) ?? []))];
}

/** A simple query of several statements answers with a list. */
async function lastOf<Row extends object>(client: Client, text: string): Promise<QueryResult<Row>> {
  const answer: unknown = await client.query(text);
  const last: unknown = Array.isArray(answer) ? answer.at(-1) : answer;
  return last as QueryResult<Row>;
}
