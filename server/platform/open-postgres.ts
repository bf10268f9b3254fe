import { NetraError } from '@netra/contract';
import { Pool, types, type PoolClient, type QueryConfig } from 'pg';
import { connectionOptions } from './connection-options.ts';
import type { Log } from './log.ts';
import type { Postgres, Statement, Transaction } from './postgres.ts';
import { isConnectionLoss, isRetryable, mapPostgresError } from './postgres-errors.ts';

export interface PostgresOptions {
  readonly pool_size: number;
  readonly log: Log;
  /** Uniform in [0, 1): the jitter of retries. */
  readonly random?: () => number;
  /** How long a caller waits for a free connection. */
  readonly acquire_timeout_ms?: number;
  readonly statement_timeout_ms?: number;
  readonly application_name?: string;
  /** False sends every statement unnamed: to a pooler that would look for the name on another connection. */
  readonly prepared?: boolean;
}

const maxAttempts = 8;
const uuidShape = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const int8 = 20;
const int8Array = 1016;

type BigInts = (bigint | null | BigInts)[];
type Texts = readonly (string | null | Texts)[];

function toBigInts(values: Texts): BigInts {
  return values.map((value) => (value === null ? null : typeof value === 'string' ? BigInt(value) : toBigInts(value)));
}

// The typings list scalar types only; the driver has a parser for this one.
const textOfArray: (text: string) => Texts = types.getTypeParser(int8Array as number as 20, 'text');

/** Money is bigint, never number: the driver's default for int8 is a string, which `+` concatenates. */
function typeParser(oid: number, format?: 'text' | 'binary'): unknown {
  if (format === 'binary') return types.getTypeParser(oid, 'binary');
  if (oid === int8) return BigInt;
  if (oid === int8Array) return (text: string): BigInts => toBigInts(textOfArray(text));
  return types.getTypeParser(oid, 'text');
}

// pg types the parser as `any`; what leaves is `unknown` to us until a row type names it.
const bigintTypes = { getTypeParser: typeParser as typeof types.getTypeParser };

/** PostgreSQL ends a statement that takes too long; this much later we do, since a dead path carries no such answer. */
const answerSlack_ms = 5_000;

interface TimedQuery extends QueryConfig {
  /** The driver's own name for it, which its types lack. */
  readonly query_timeout: number;
}

/** How the statements of a pool or transaction are sent. */
interface Manner {
  readonly statement_timeout_ms: number;
  readonly prepared: boolean;
}

function toQuery(statement: Statement, { statement_timeout_ms, prepared }: Manner): TimedQuery {
  const { name, text, values, timeout_ms } = statement;
  const query_timeout = Math.ceil(timeout_ms ?? statement_timeout_ms + answerSlack_ms);
  return { text, values: [...values], query_timeout, ...(name === undefined || !prepared ? {} : { name }) };
}

/** Runs `work` again after a deadlock or serialization failure, at most `maxAttempts` times, with full jitter. */
async function retrying<T>(random: () => number, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isRetryable(error) || attempt === maxAttempts) throw error;
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, random() * 5 * 2 ** attempt);
      await promise;
    }
  }
}

async function inTransaction<T>(
  pool: Pool,
  begin: string,
  manner: Manner,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(begin);
    const result = await work(transaction(client, manner));
    await client.query('commit');
    return result;
  } catch (error) {
    broken = await rollBack(client, error);
    throw error;
  } finally {
    client.release(broken);
  }
}

async function rollBack(client: PoolClient, cause: unknown): Promise<Error | undefined> {
  if (isConnectionLoss(cause)) return new Error('connection lost');
  return client.query('rollback').then(
    () => undefined,
    () => new Error('rollback failed'),
  );
}

function transaction(client: PoolClient, manner: Manner): Transaction {
  return {
    async rows<Row>(statement: Statement): Promise<Row[]> {
      // The row's shape is the statement's promise: texts and row types stand side by side in `sql/`.
      const result = await client.query(toQuery(statement, manner));
      return result.rows as Row[];
    },
  };
}

/** Opens a pool on `url`. Connects on first use, so a node may start before its database. Throws on a malformed URL. */
export function openPostgres(url: string, options: PostgresOptions): Postgres {
  const { log, random = Math.random, statement_timeout_ms: usual_ms = 30_000, prepared = true } = options;
  const usual: Manner = { statement_timeout_ms: usual_ms, prepared };
  const pool = new Pool({
    ...connectionOptions(url),
    max: options.pool_size,
    types: bigintTypes,
    connectionTimeoutMillis: options.acquire_timeout_ms ?? 5_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: usual_ms,
    query_timeout: usual_ms + answerSlack_ms,
    idle_in_transaction_session_timeout: 30_000,
    keepAlive: true,
    application_name: options.application_name ?? 'netra',
  });
  // An idle connection that dies is not the next caller's business; without a listener it would end the process.
  pool.on('error', (error) => log.warn({ reason: mapPostgresError(error, null).message }, 'idle connection lost'));
  // So too one that dies between two statements of a transaction; the next statement tells the caller.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const mapped = async <T>(name: string | null, work: () => Promise<T>): Promise<T> => {
    try {
      return await retrying(random, work);
    } catch (error) {
      throw mapPostgresError(error, name);
    }
  };
  return {
    pool,
    call: <Row>(statement: Statement) =>
      mapped(statement.name ?? null, async () => (await pool.query(toQuery(statement, usual))).rows as Row[]),
    async inOrg(org_id, work) {
      if (!uuidShape.test(org_id)) throw new NetraError('invalid_request', 'The organisation id is not a uuid');
      // One round trip for both; the id was checked to be a uuid, so it cannot carry SQL.
      return mapped(null, () => inTransaction(pool, `begin; select netra.enter_org('${org_id}')`, usual, work));
    },
    inSnapshot(statement_timeout_ms, work) {
      const limit = `set local statement_timeout = ${Math.ceil(statement_timeout_ms)}`;
      const begin = `begin isolation level repeatable read read only; ${limit}`;
      return mapped(null, () => inTransaction(pool, begin, { statement_timeout_ms, prepared }, work));
    },
    close: () => pool.end(),
  };
}
