import type { Pool } from 'pg';

/** One statement. `name` makes it a prepared one, planned once a connection; texts live in `sql/`. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values: readonly unknown[];
  /** How long this side waits for the answer; then it is `unavailable`, and whether it was committed is not known. */
  readonly timeout_ms?: number;
}

/** An open transaction that has entered a tenant. */
export interface Transaction {
  rows<Row>(statement: Statement): Promise<Row[]>;
}

/**
 * PostgreSQL, logged in as netra_app (T1). bigint columns arrive as `bigint`, timestamptz as Date, jsonb parsed.
 * A refusal raised by netra.refuse() arrives as the NetraError of its code. Deadlocks (40P01) and serialization
 * failures (40001) are retried with jitter, so a callback may run more than once and must have no outside effect.
 */
export interface Postgres {
  /** One round trip: a call of a netra.* function that enters the tenant itself. */
  call<Row>(statement: Statement): Promise<Row[]>;
  /** begin; enter_org(org_id); work; commit. */
  inOrg<T>(org_id: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Everything that `work` reads is as of one moment, and it can write nothing: begin isolation level repeatable read
   * read only; work; commit. For examinations, which may read long: each statement gets `statement_timeout_ms`. No
   * tenant is entered.
   */
  inSnapshot<T>(statement_timeout_ms: number, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Milliseconds are database time; the pool is for libraries that need one (and for its metrics). */
  readonly pool: Pool;
  close(): Promise<void>;
}
