import { eventually, findProgram, freePort, runProgram, type Suite } from '@netra/testkit';
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { deriveAppUrl } from '../../../server/platform/index.ts';

async function folder(own: Suite, name: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), `netra-${name}-`));
  // What is started as root gives its rights away, and must still read its files.
  await chmod(path, 0o755);
  own.onEnd(() => rm(path, { recursive: true, force: true }));
  return path;
}

export interface Balancer {
  readonly url: string;
  readonly ws: string;
  /** Sessions that each node has had, by the balancer's count. */
  sessions(): Promise<readonly number[]>;
}

/** A real haproxy in front of `nodes`, which asks each for /readyz. The settings are those of docs/operate.md. */
export async function openBalancer(own: Suite, nodes: readonly { readonly url: string }[]): Promise<Balancer> {
  const [port, statsPort] = [await freePort(), await freePort()];
  const path = join(await folder(own, 'haproxy'), 'haproxy.cfg');
  const servers = nodes.map(({ url }, index) => `  server node${index} ${new URL(url).host}`);
  const text = `
defaults
  mode http
  timeout connect 2s
  timeout client 75s
  timeout server 75s
  timeout tunnel 1h
  # A busy node is not a node that is gone.
  timeout check 2s
  # A connection that a node refuses was never a request: the other one gets it.
  option redispatch 1
  retries 3
  retry-on conn-failure empty-response
frontend operator
  bind 127.0.0.1:${statsPort}
  stats enable
  stats uri /stats
frontend callers
  bind 127.0.0.1:${port}
  default_backend nodes
backend nodes
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server check inter 300ms fall 2 rise 1
${servers.join('\n')}
`;
  await writeFile(path, text);
  const haproxy = runProgram(findProgram('haproxy'), ['-db', '-f', path]);
  own.onEnd(() => haproxy.close());
  const url = `http://127.0.0.1:${port}`;
  await eventually('haproxy serves', async () => (await fetch(`${url}/livez`)).ok).catch((error: unknown) => {
    throw new Error(haproxy.said(), { cause: error });
  });
  return {
    url,
    ws: `${url.replace('http', 'ws')}/v1/ws`,
    async sessions() {
      const csv = await (await fetch(`http://127.0.0.1:${statsPort}/stats;csv`)).text();
      const rows = csv.split('\n').map((line) => line.split(','));
      const column = rows[0]?.indexOf('stot') ?? -1;
      return rows.filter(([, server]) => server?.startsWith('node')).map((row) => Number(row[column]));
    },
  };
}

export interface Pooler {
  /** The application's login, through the pooler. */
  readonly app_url: string;
  /** Whether it knows prepared statements in transaction mode (1.21 and later). */
  readonly prepared: boolean;
  /** Transactions and server connections so far, by its own count. */
  counts(): Promise<{ readonly transactions: number; readonly servers: number }>;
}

/** Server connections for all nodes together. */
const poolSize = 6;

/** A real pgbouncer in transaction mode before the suite's database. The settings are those of docs/operate.md. */
export async function openPooler(own: Suite): Promise<Pooler> {
  const program = findProgram('pgbouncer');
  const [, major, minor] =
    /PgBouncer (\d+)\.(\d+)/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' })) ?? [];
  const prepared = Number(major) > 1 || Number(minor) >= 21;
  const port = await freePort();
  const direct = new URL(deriveAppUrl(own.stores.postgres_url));
  const path = await folder(own, 'pgbouncer');
  const ini = `
[databases]
* = host=${direct.hostname} port=${direct.port || '5432'} connect_query='set statement_timeout = 30000'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${path}/users
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 500
${prepared ? 'max_prepared_statements = 200' : ''}
ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout,extra_float_digits
stats_users = netra_app
`;
  await writeFile(join(path, 'pgbouncer.ini'), ini);
  await writeFile(join(path, 'users'), `"${direct.username}" "${decodeURIComponent(direct.password)}"\n`);
  const asRoot = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const pgbouncer = runProgram(program, [...asRoot, join(path, 'pgbouncer.ini')]);
  own.onEnd(() => pgbouncer.close());
  const app = new URL(direct);
  app.host = `127.0.0.1:${port}`;
  const ask = async (question: string): Promise<readonly Record<string, unknown>[]> => {
    const admin = new URL(app);
    admin.pathname = '/pgbouncer';
    const client = new Client({ connectionString: admin.toString() });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(question)).rows;
    } finally {
      await client.end();
    }
  };
  await eventually('pgbouncer serves', () => ask('show version')).catch((error: unknown) => {
    throw new Error(pgbouncer.said(), { cause: error });
  });
  const name = direct.pathname.slice(1);
  return {
    app_url: app.toString(),
    prepared,
    async counts() {
      const stats = (await ask('show stats')).find(({ database }) => database === name);
      const servers = (await ask('show servers')).filter(({ database }) => database === name);
      return { transactions: Number(stats?.['total_xact_count'] ?? 0), servers: servers.length };
    },
  };
}
