import type { Redis as IoRedis } from 'ioredis';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Redis } from './redis.ts';
import { openInProcessRedis, windowOf } from './redis-in-process.ts';
import { gaugesArguments, gaugesScript, readGauges } from './shared-gauges.ts';

export interface RedisOptions {
  readonly clock: Clock;
  readonly log: Log;
}

// One round trip, atomic across nodes. The window's number is part of the key, so the expiry only cleans up.
const consumeScript = `
local used = tonumber(redis.call('get', KEYS[1]) or '0')
local points, max = tonumber(ARGV[1]), tonumber(ARGV[2])
if used + points > max then return {0, max - used} end
redis.call('incrby', KEYS[1], points)
redis.call('pexpire', KEYS[1], ARGV[3])
return {1, max - used - points}`;

const connectTimeoutMs = 2_000;

async function connect(url: string, log: Log): Promise<IoRedis> {
  // Only where there is a Redis: ioredis 6 has a class that extends String, and from then on V8 no longer inlines
  // methods of any string; reading a usage file takes 1.7 times as long.
  const { Redis } = await import('ioredis');
  const client = new Redis(url, {
    // A hint or a cache that comes late is worth nothing: fail at once, fall back, never queue.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 1_000,
    connectTimeout: connectTimeoutMs,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 5), 1_000),
  });
  let told = false;
  const tell = (reason: string): void => {
    if (!told) log.warn({ reason }, 'redis cannot be reached; serving without it');
    told = true;
  };
  client.on('error', (error: NodeJS.ErrnoException) => tell(error.code ?? error.name));
  // A connection that was closed in order, as a proxy before a dead server does, is no error to the client.
  client.on('reconnecting', () => tell('closed'));
  client.on('ready', () => {
    if (told) log.info('redis is back');
    told = false;
  });
  return client;
}

/** Resolves when the client is ready or the time is up; a server that is down must not keep a node from starting. */
async function settled(client: IoRedis): Promise<void> {
  if (client.status === 'ready') return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, connectTimeoutMs);
  client.once('ready', resolve);
  await promise;
  clearTimeout(timer);
  client.off('ready', resolve);
}

/**
 * Redis by URL. Every command answers also when the server is gone: reads miss, hints are lost (`publish` says so),
 * and limits are kept by this node's own count, which runs along all the time so that losing or flushing Redis lifts
 * no limit.
 */
export async function openRedis(url: string, { clock, log }: RedisOptions): Promise<Redis> {
  const commands = await connect(url, log);
  const subscriber = await connect(url, log);
  const own = openInProcessRedis({ clock });
  const listeners = new Map<string, Set<(message: string) => void>>();
  subscriber.on('message', (channel: string, message: string) => {
    for (const listener of listeners.get(channel) ?? []) listener(message);
  });
  await Promise.all([settled(commands), settled(subscriber)]);

  const orElse = async <T>(work: () => Promise<T>, lost: T): Promise<T> => {
    try {
      return await work();
    } catch {
      return lost;
    }
  };
  const consumeShared = async (key: string, points: number, max: number, window_ms: number) => {
    const window = windowOf(key, window_ms, clock.nowMs());
    const answer: unknown = await commands.eval(consumeScript, 1, window.key, points, max, window_ms);
    if (!Array.isArray(answer)) throw new Error('redis: consume answered something else');
    return { allowed: answer[0] === 1, remaining: Math.max(0, Number(answer[1])), resets_in_ms: window.resets_in_ms };
  };

  return {
    kind: 'server',
    publish: (channel, message) => orElse(async () => (await commands.publish(channel, message), true), false),
    subscribe: async (channel, onMessage) => {
      const set = listeners.get(channel) ?? new Set<(message: string) => void>();
      listeners.set(channel, set);
      const listener = (message: string): void => onMessage(message);
      set.add(listener);
      // The client subscribes again by itself after a reconnect, but only to what it once got through.
      const enter = (): void => void subscriber.subscribe(channel).catch(() => undefined);
      if (set.size === 1) await orElse(async () => void (await subscriber.subscribe(channel)), undefined);
      subscriber.on('ready', enter);
      return async () => {
        subscriber.off('ready', enter);
        set.delete(listener);
        if (set.size > 0) return;
        listeners.delete(channel);
        await orElse(async () => void (await subscriber.unsubscribe(channel)), undefined);
      };
    },
    get: (key) => orElse(() => commands.get(key), null),
    set: (key, value, ttl_ms) => orElse(async () => void (await commands.set(key, value, 'PX', ttl_ms)), undefined),
    add: (key, value, ttl_ms) =>
      orElse(async () => void (await commands.set(key, value, 'PX', ttl_ms, 'NX')), undefined),
    delete: (key) => orElse(async () => void (await commands.del(key)), undefined),
    consume: async ({ key, points, max, window_ms }) => {
      const shared = await orElse(() => consumeShared(key, points, max, window_ms), null);
      if (shared && !shared.allowed) return shared;
      const local = await own.consume({ key, points, max, window_ms });
      if (!shared || !local.allowed) return local;
      return { ...shared, remaining: Math.min(shared.remaining, local.remaining) };
    },
    hold: (options) =>
      orElse(async () => {
        const keys = options.gauges.map(({ key }) => key);
        return readGauges(await commands.eval(gaugesScript, keys.length, ...keys, ...gaugesArguments(options)));
      }, null),
    ping: () => orElse(async () => (await commands.ping()) === 'PONG', false),
    close: async () => {
      commands.disconnect();
      subscriber.disconnect();
      await own.close();
    },
  };
}
