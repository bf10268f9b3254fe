/** ClickHouse by URL: a server, a cluster, or our child process around chDB. All the same code path. */
export interface ClickHouse {
  /** Inserts rows as JSONEachRow. `token` is the deduplication token: the same token again changes nothing. */
  insert(options: {
    readonly table: string;
    readonly rows: readonly Readonly<Record<string, unknown>>[];
    readonly token: string;
  }): Promise<void>;
  /** Inserts rows that are text already, columns in this order. `token` as above; no text inserts nothing. */
  insertText(options: {
    readonly table: string;
    readonly columns: readonly [string, ...string[]];
    readonly format: 'TabSeparated';
    readonly body: Uint8Array;
    readonly token: string;
  }): Promise<void>;
  /** Bound parameters only: `{org:UUID}` in the text. 64-bit integers and decimals arrive as strings. */
  query<Row>(text: string, params: Readonly<Record<string, unknown>>): Promise<Row[]>;
  /** A statement without rows: DDL of migrations, deletions. Parameters are bound as in `query`. */
  command(text: string, params?: Readonly<Record<string, unknown>>): Promise<void>;
  close(): Promise<void>;
}
