import type { GaugesAnswer, GaugesOptions } from './shared-gauges.ts';

/**
 * What we ask of Redis: hints, counters, caches. Never the truth. Served by a Redis server or, when no URL is
 * configured, by an engine inside this process. Keys carry their organisation as hash tag: `netra:{org}:…`.
 */
export interface Redis {
  readonly kind: 'server' | 'in_process';
  /** Fire and forget: a hint may be lost. Resolves false if it was not sent. */
  publish(channel: string, message: string): Promise<boolean>;
  /** Calls back for each message on the channel until the returned function is called. */
  subscribe(channel: string, onMessage: (message: string) => void): Promise<() => Promise<void>>;
  get(key: string): Promise<string | null>;
  set(key: string, value: string, ttl_ms: number): Promise<void>;
  /** As `set`, but a key that is there stays as it is. */
  add(key: string, value: string, ttl_ms: number): Promise<void>;
  delete(key: string): Promise<void>;
  /**
   * Takes `points` from a fixed window; true if they were there. Atomic across nodes on a server.
   */
  consume(options: {
    readonly key: string;
    readonly points: number;
    readonly max: number;
    readonly window_ms: number;
  }): Promise<{ readonly allowed: boolean; readonly remaining: number; readonly resets_in_ms: number }>;
  /**
   * Says what this node holds of some gauges, all or none, unless that is more than all nodes together may. null if
   * Redis is gone: nobody knows what the others hold. The keys of one call share a hash tag.
   */
  hold(options: GaugesOptions): Promise<GaugesAnswer | null>;
  ping(): Promise<boolean>;
  close(): Promise<void>;
}
