import type { Clock } from './clock.ts';
import type { Redis } from './redis.ts';

interface Entry {
  readonly value: string;
  readonly expires_at_ms: number;
}

type Listener = (message: string) => void;

/** Past this many keys the oldest go: a cache may forget, and a process must not grow without bound. */
const defaultMaxKeys = 50_000;

/** The same interface as a Redis server, for one process. Windows are those of `windowOf`, so both engines agree. */
export function openInProcessRedis({
  clock,
  max_keys = defaultMaxKeys,
}: {
  readonly clock: Clock;
  readonly max_keys?: number;
}): Redis {
  const entries = new Map<string, Entry>();
  const channels = new Map<string, Set<Listener>>();

  const read = (key: string): string | null => {
    const entry = entries.get(key);
    if (entry === undefined) return null;
    if (entry.expires_at_ms > clock.nowMs()) return entry.value;
    entries.delete(key);
    return null;
  };
  const write = (key: string, value: string, expires_at_ms: number): void => {
    entries.delete(key);
    entries.set(key, { value, expires_at_ms });
    if (entries.size > max_keys) evict(entries, clock.nowMs());
  };

  return {
    kind: 'in_process',
    publish: async (channel, message) => {
      for (const listener of channels.get(channel) ?? []) queueMicrotask(() => listener(message));
      return true;
    },
    subscribe: async (channel, listener) => {
      const listeners = channels.get(channel) ?? new Set<Listener>();
      channels.set(channel, listeners);
      // A wrapper of its own, so that one function subscribed twice is called twice and ends once each.
      const own: Listener = (message) => listener(message);
      listeners.add(own);
      return async () => {
        listeners.delete(own);
        if (listeners.size === 0 && channels.get(channel) === listeners) channels.delete(channel);
      };
    },
    get: async (key) => read(key),
    set: async (key, value, ttl_ms) => write(key, value, clock.nowMs() + ttl_ms),
    add: async (key, value, ttl_ms) => {
      if (read(key) === null) write(key, value, clock.nowMs() + ttl_ms);
    },
    delete: async (key) => {
      entries.delete(key);
    },
    consume: async ({ key, points, max, window_ms }) => {
      const window = windowOf(key, window_ms, clock.nowMs());
      const used = Number(read(window.key) ?? 0);
      const allowed = used + points <= max;
      if (allowed) write(window.key, String(used + points), window.ends_at_ms);
      return {
        allowed,
        remaining: Math.max(0, max - used - (allowed ? points : 0)),
        resets_in_ms: window.resets_in_ms,
      };
    },
    // There is no other node.
    hold: async ({ gauges }) => {
      const full = gauges.findIndex(({ held, max }) => max !== null && held > max);
      return { full: full < 0 ? null : full, others: gauges.map(() => 0) };
    },
    ping: async () => true,
    close: async () => {
      entries.clear();
      channels.clear();
    },
  };
}

function evict(entries: Map<string, Entry>, now_ms: number): void {
  for (const [key, entry] of entries) if (entry.expires_at_ms <= now_ms) entries.delete(key);
  const excess = entries.size;
  // Still over: everything is alive, so the oldest tenth goes, and the sweep above stays rare.
  let left = Math.ceil(excess / 10);
  for (const key of entries.keys()) {
    if (left === 0) break;
    entries.delete(key);
    left -= 1;
  }
}

/** Windows are aligned to the clock, so that every node (and the fallback after a lost Redis) counts in the same one. */
export function windowOf(
  key: string,
  window_ms: number,
  now_ms: number,
): { key: string; ends_at_ms: number; resets_in_ms: number } {
  const index = Math.floor(now_ms / window_ms);
  const ends_at_ms = (index + 1) * window_ms;
  return { key: `${key}:${index}`, ends_at_ms, resets_in_ms: ends_at_ms - now_ms };
}
