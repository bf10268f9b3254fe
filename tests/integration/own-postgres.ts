import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, runServerCommand, withOwner } from '@netra/testkit';
import { openEmbeddedStores, openLog } from '../../server/platform/index.ts';

/** A PostgreSQL of the test's own: it may be killed without taking anybody else's down. */
export interface OwnPostgres {
  /** The owner's login. It stays true: the server comes back on its port. */
  readonly postgres_url: string;
  /** SIGKILL to the server and to each of its processes, at once. */
  kill(): Promise<void>;
  /** SIGKILL to one process that serves a connection: PostgreSQL then drops all others, and recovers by itself. */
  killBackend(): Promise<void>;
  /** Resolves when it answers again. */
  back(): Promise<void>;
  close(): Promise<void>;
}

/**
 * As an installation runs it: fsync on, and started again by whoever owns it. Migrated, with the run's own ClickHouse
 * beside it. Takes two seconds.
 */
export async function openOwnPostgres(clickhouse_url: string): Promise<OwnPostgres> {
  const data_dir = await mkdtemp(join(tmpdir(), 'netra-own-postgres-'));
  const stores = await openEmbeddedStores({ data_dir, log: openLog({ level: 'fatal' }), need: ['postgres'] });
  const { postgres_url } = stores;
  const env = { NETRA_ENV: 'test', NETRA_POSTGRES_URL: postgres_url, NETRA_CLICKHOUSE_URL: clickhouse_url };
  const migrated = await runServerCommand(['migrate', 'up'], env);
  if (migrated.code !== 0) throw new Error(`migrate up exited with ${migrated.code}: ${migrated.stderr}`);
  const server = async (): Promise<number> => {
    const [pid] = (await readFile(join(data_dir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
    return Number(pid);
  };
  return {
    postgres_url,
    async kill() {
      const pid = await server();
      // Stopped first: it must not start another process between our look and the kill.
      process.kill(pid, 'SIGSTOP');
      for (const each of [...processesOf(pid), pid]) end(each);
    },
    async killBackend() {
      const [backend] = await withOwner(postgres_url, async (client) => {
        const text = `select pid from pg_stat_activity where usename = 'netra_app' order by query_start desc limit 1`;
        return (await client.query<{ pid: number }>(text)).rows;
      });
      if (!backend) throw new Error('nobody is connected');
      end(backend.pid);
    },
    async back() {
      const asked = (): Promise<unknown> => withOwner(postgres_url, (client) => client.query('select 1'));
      await eventually('PostgreSQL is back', asked, { deadline_ms: 60_000 });
    },
    async close() {
      await stores.stop();
      await rm(data_dir, { recursive: true, force: true });
    },
  };
}

function processesOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([pid, ppid]) => (ppid === parent && pid !== undefined ? [pid] : []));
}

/** It may have ended by itself since we looked. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
