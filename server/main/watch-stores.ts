import { createHash } from 'node:crypto';
import { Gauge } from 'prom-client';
import { openPostgres, type Platform } from '../platform/index.ts';

/**
 * What this node can say of its stores, in one word each.
 *
 * - `ready`: all answer.
 * - `degraded`: Redis or ClickHouse does not. Everything is served; hints come late, or usage does.
 * - `unavailable`: PostgreSQL does not, and no other node is known to reach it. Nothing can be done elsewhere either, so
 *   the node stays in the balancer: it answers clearly, and keeps its sockets (docs/decisions/0022-streams.md).
 * - `cut_off`: PostgreSQL does not answer this node, but it does others: callers are better off there.
 */
export type StoresStanding = 'ready' | 'degraded' | 'unavailable' | 'cut_off';

export interface StoreWatch {
  readonly standing: StoresStanding;
  stop(): Promise<void>;
}

const look_ms = 1_000;
/** Twice this and a look are under the five seconds in which a probe has to know. */
const patience_ms = 1_500;
/** PostgreSQL's answers in a row that have to fail: one may be lost to a failover. */
const failures = 2;
/** How long a node's word that it reached PostgreSQL is kept. */
const word_ms = 5_000;
/** Looks without a new word of another node after which nobody is known to reach PostgreSQL. */
const maxQuiet = 3;

/** Looks at the stores every second, so that a probe never waits for one. */
export function watchStores({
  platform,
  app_url,
}: {
  readonly platform: Platform;
  readonly app_url: string;
}): StoreWatch {
  const { redis, clickhouse, metrics, log } = platform;
  // A connection of its own: a pool that is busy is not a database that is gone.
  const probe = openPostgres(app_url, {
    pool_size: 1,
    log,
    acquire_timeout_ms: patience_ms,
    statement_timeout_ms: patience_ms,
    application_name: 'netra probe',
  });
  const up = new Gauge({
    name: 'netra_store_up',
    help: '1 if the store answered at the last look',
    labelNames: ['store'],
    registers: [metrics],
  });
  const others = watchOthers(platform);
  let standing: StoresStanding = 'ready';
  let failed = 0;

  const look = async (): Promise<void> => {
    const [postgres_up, redis_up, clickhouse_up] = await Promise.all([
      answers(() => probe.call({ text: 'select 1', values: [] })),
      redis.ping(),
      answers(() => clickhouse.query('select 1', {})),
    ]);
    up.set({ store: 'postgres' }, Number(postgres_up));
    up.set({ store: 'redis' }, Number(redis_up));
    up.set({ store: 'clickhouse' }, Number(clickhouse_up));
    failed = postgres_up ? 0 : failed + 1;
    if (postgres_up) await others.tell();
    const elsewhere = postgres_up ? false : await others.reach(failed);
    const well: StoresStanding = redis_up && clickhouse_up ? 'ready' : 'degraded';
    const now: StoresStanding = failed < failures ? well : elsewhere ? 'cut_off' : 'unavailable';
    if (now !== standing) log.warn({ standing: now, postgres_up, redis_up, clickhouse_up }, 'stores');
    standing = now;
  };

  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const loop = async (): Promise<void> => {
    await look().catch((error: unknown) => log.warn({ err: error }, 'stores not looked at'));
    if (!stopped) timer = setTimeout(() => void loop(), look_ms).unref();
  };
  const looking = loop();
  return {
    get standing() {
      return standing;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
      await probe.close();
    },
  };
}

/**
 * Whether other nodes reach PostgreSQL when this one does not. A word that was new since this node failed is what
 * counts: an old one would take all nodes out of the balancer together while it is kept. A node alone, without Redis,
 * may as well say no.
 */
function watchOthers({ redis, node_id, config }: Platform): {
  tell(): Promise<void>;
  reach(failed: number): Promise<boolean>;
} {
  // Several installations may share a Redis; the nodes of one share a secret.
  const name = createHash('sha256').update(`postgres reached ${config.secret}`).digest('hex').slice(0, 16);
  const key = `netra:{stores}:${name}`;
  let beat = 0;
  let heard: string | null = null;
  let quiet = 0;
  return {
    async tell() {
      beat += 1;
      await redis.set(key, `${node_id} ${beat}`, word_ms);
    },
    async reach(failed) {
      if (redis.kind !== 'server') return true;
      const word = await redis.get(key);
      const fresh = failed > 1 && word !== null && word !== heard && !word.startsWith(`${node_id} `);
      quiet = fresh ? 0 : failed === 1 ? maxQuiet : quiet + 1;
      heard = word;
      return quiet < maxQuiet;
    },
  };
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), patience_ms);
  ask().then(
    () => resolve(true),
    () => resolve(false),
  );
  const answered = await promise;
  clearTimeout(timer);
  return answered;
}
