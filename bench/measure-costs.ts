import { Client } from 'pg';
import { connectUsers, runFor } from './measure-runs.ts';
import { cpuMs, cpuOfFamilyMs, parentOf } from './process-figures.ts';
import type { BenchHouse } from './start-house.ts';

/** What one complete two-step run takes, everything counted: admission, log, charges, settlement, delivery. */
export interface CostFigures {
  readonly server_cpu_ms: number;
  readonly postgres_cpu_ms: number;
  /** Transactions that were committed, and bytes of the write-ahead log. */
  readonly commits: number;
  readonly wal_kb: number;
  /** Growth of the tables and their indexes. */
  readonly stored_kb: number;
  readonly events: number;
}

/** Averages over all runs of `seconds`, with `users` at once: so many that commits and flushes are shared. */
export async function measureCosts(
  house: BenchHouse,
  { users, seconds }: { readonly users: number; readonly seconds: number },
): Promise<CostFigures> {
  const sockets = await connectUsers(house, users);
  const client = new Client({ connectionString: house.postgres_url });
  await client.connect();
  try {
    await runFor(sockets, 2);
    const before = await readCosts(client, house.pid);
    await runFor(sockets, seconds);
    const after = await readCosts(client, house.pid);
    const runs = after.runs - before.runs;
    const each = (of: (costs: Costs) => number): number => (of(after) - of(before)) / runs;
    return {
      server_cpu_ms: each((costs) => costs.server_cpu_ms),
      postgres_cpu_ms: each((costs) => costs.postgres_cpu_ms),
      commits: each((costs) => costs.commits),
      wal_kb: each((costs) => costs.wal_bytes) / 1024,
      stored_kb: each((costs) => costs.stored_bytes) / 1024,
      events: each((costs) => costs.events),
    };
  } finally {
    await client.end();
    for (const socket of sockets) socket.close();
  }
}

interface Costs {
  readonly runs: number;
  readonly events: number;
  readonly commits: number;
  readonly wal_bytes: number;
  readonly stored_bytes: number;
  readonly server_cpu_ms: number;
  readonly postgres_cpu_ms: number;
}

async function readCosts(client: Client, server_pid: number): Promise<Costs> {
  await client.query('select pg_stat_force_next_flush()');
  const { rows } = await client.query<Record<string, number>>(`
    select (select count(*) from netra.run)::float8 as runs,
           (select count(*) from netra.event)::float8 as events,
           (select xact_commit from pg_stat_database where datname = current_database())::float8 as commits,
           pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal_bytes,
           (select sum(pg_total_relation_size(oid)) from pg_class
             where relkind = 'r' and relnamespace = 'netra'::regnamespace)::float8 as stored_bytes,
           pg_backend_pid() as pid`);
  const { runs = 0, events = 0, commits = 0, wal_bytes = 0, stored_bytes = 0, pid = 0 } = rows[0] ?? {};
  const costs = { runs, events, commits, wal_bytes, stored_bytes };
  return { ...costs, server_cpu_ms: cpuMs(server_pid), postgres_cpu_ms: cpuOfFamilyMs(parentOf(pid)) };
}
