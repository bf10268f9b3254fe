import { createClient, type Client } from '@netra/client';
import {
  createAccount,
  freePort,
  openRedisServer,
  serveFaults,
  startServer,
  withOwner,
  type RedisServer,
  type Suite,
  type TestServer,
} from '@netra/testkit';
import { openModel } from '../../server/agents/index.ts';
import { serveModel } from '../integration/openai-endpoint.ts';
import { openOwnPostgres, type OwnPostgres } from '../integration/own-postgres.ts';
import { openPath, type Path } from './fault-path.ts';

/** A server process that may be ended, and comes back on its port. */
export interface StagedNode {
  readonly name: string;
  readonly pid: number;
  /** Its path to PostgreSQL. */
  readonly postgres: Path;
  log(): string;
  kill(): Promise<void>;
  /** Starts it again if it is not running. */
  start(): Promise<void>;
}

interface ServingNode extends StagedNode {
  readonly url: string;
}

/**
 * An installation of three nodes: one that only serves clients, two that only work. Each has a path of its own to
 * PostgreSQL; Redis is reached over one path, and so are the clients' sockets.
 */
export interface Stage {
  readonly serving: StagedNode;
  readonly working: readonly StagedNode[];
  readonly postgres: OwnPostgres;
  readonly redis: Path;
  readonly sockets: Path;
  readonly clients: readonly Client[];
  readonly env: Readonly<Record<string, string>>;
  /** SIGKILL to Redis; resolves to its process id. */
  killRedis(): Promise<number>;
  /** Everything that a fault took away is there again. */
  restore(): Promise<void>;
  rows<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

const lease_ms = 800;
const accounts = 2;
/** Three at once, on a machine that may be busy with other tests. */
const starting_ms = 180_000;

export async function openStage(own: Suite, random: () => number): Promise<Stage> {
  const faults = await serveFaults({ random });
  own.onEnd(() => faults.close());
  const postgres = await openOwnPostgres(own.stores.clickhouse_url);
  own.onEnd(() => postgres.close());
  let redis = await openRedisServer({ port: await freePort() });
  own.onEnd(() => redis.close());
  const redisPath = await openPath(faults, 'redis', hostOf(redis.redis_url));
  const endpoint = await serveModel(openModel('planner', { model: null }));
  own.onEnd(() => endpoint.close());
  const env = {
    ...own.env,
    NETRA_POSTGRES_URL: postgres.postgres_url,
    NETRA_REDIS_URL: `redis://${redisPath.address}/`,
    NETRA_MODEL_URL: endpoint.url,
    NETRA_MODEL_NAME: 'gpt-4o',
    NETRA_MODEL_KEY: 'key-of-nobody',
    NETRA_LEASE_MS: String(lease_ms),
    NETRA_MAX_ATTEMPTS: '20',
    NETRA_LOG_LEVEL: 'warn',
  };
  const node = async (name: string, capacity: number): Promise<ServingNode> => {
    const path = await openPath(faults, name, hostOf(postgres.postgres_url));
    const through = withHost(postgres.postgres_url, path.address);
    const staged = await startNode(name, path, {
      ...env,
      NETRA_POSTGRES_URL: through,
      NETRA_CAPACITY: String(capacity),
    });
    own.onEnd(() => staged.kill());
    return staged;
  };
  const [serving, ...working] = await Promise.all([node('serving', 0), node('first', 64), node('second', 64)]);
  const sockets = await openPath(faults, 'sockets', hostOf(serving.url));
  const made = await Promise.all(Array.from({ length: accounts }, () => createAccount({ env, plan: 'enterprise' })));
  const backoff = { first_ms: 20, max_ms: 300 };
  const clients = made.map(({ token }) => createClient({ url: `http://${sockets.address}`, token, backoff, random }));
  own.onEnd(() => clients.forEach((client) => client.close()));
  return {
    serving,
    working,
    postgres,
    redis: redisPath,
    sockets,
    clients,
    env,
    async killRedis() {
      process.kill(redis.pid, 'SIGKILL');
      return redis.pid;
    },
    async restore() {
      if (isGone(redis.pid)) redis = await reopen(redis);
      await Promise.all(
        [...working.map((each) => each.postgres), serving.postgres, redisPath, sockets].map((path) => path.mend()),
      );
      await Promise.all([serving, ...working].map((each) => each.start()));
    },
    rows: <Row extends object>(text: string, values: readonly unknown[] = []) =>
      withOwner(postgres.postgres_url, async (to) => (await to.query<Row>(text, [...values])).rows),
  };
}

async function startNode(name: string, postgres: Path, env: Readonly<Record<string, string>>): Promise<ServingNode> {
  let server: TestServer | null = await startServer({ env, deadline_ms: starting_ms });
  let { pid, url, log } = server;
  const port = Number(new URL(url).port);
  return {
    name,
    postgres,
    url,
    get pid() {
      return pid;
    },
    log: () => log(),
    async kill() {
      const ending = server;
      server = null;
      await ending?.kill();
    },
    async start() {
      if (server !== null) return;
      server = await startServer({ env, port, deadline_ms: starting_ms });
      ({ pid, url, log } = server);
    },
  };
}

async function reopen(redis: RedisServer): Promise<RedisServer> {
  await redis.close();
  return openRedisServer({ port: Number(new URL(redis.redis_url).port) });
}

/** True once no process has this id. */
export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

function hostOf(url: string): string {
  return new URL(url).host;
}

function withHost(url: string, host: string): string {
  const changed = new URL(url);
  changed.host = host;
  return changed.toString();
}
