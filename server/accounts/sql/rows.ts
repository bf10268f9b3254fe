import type { Pool, PoolClient } from 'pg';
import { mapPostgresError, type Statement } from '../../platform/index.ts';

/** Runs one statement against schema auth. The row's shape is the promise of the function that made the statement. */
export async function rows<Row>(database: Pool | PoolClient, statement: Statement): Promise<Row[]> {
  const { name, text, values } = statement;
  try {
    const result = await database.query({ ...(name === undefined ? {} : { name }), text, values: [...values] });
    return result.rows as Row[];
  } catch (error) {
    throw mapPostgresError(error, name ?? null);
  }
}

/** begin; work; commit. Whatever throws rolls back. */
export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    broken = false;
    return result;
  } catch (error) {
    await client.query('rollback').then(
      () => (broken = false),
      () => undefined,
    );
    throw error;
  } finally {
    // A connection that could not roll back may still hold the transaction: never back into the pool.
    client.release(broken);
  }
}
