import { cacheBounds_ms, type Platform, type Role } from '../platform/index.ts';

/** What a stored key stands for. `role` is the weaker of the key's and its maker's own, as of now. */
export interface StoredApiKey {
  readonly key_id: string;
  readonly org_id: string;
  readonly user_id: string;
  readonly role: Role;
  readonly expires_at_ms: number | null;
}

/** Keys looked up lately, by hash, so that a busy key costs one query in `maxAge_ms`. */
export interface ApiKeyCache {
  /** The key of a hash, at most `apiKeyStaleness_ms` old; concurrent callers share one lookup. */
  find(hash: string, lookUp: () => Promise<StoredApiKey | null>): Promise<StoredApiKey | null>;
  /** At once on this node and on those that hear of it; on others within `apiKeyStaleness_ms`. */
  forget(what: Forgotten): Promise<void>;
}

/** A key, or all keys of a member. */
export type Forgotten = { readonly key_id: string } | { readonly org_id: string; readonly user_id: string };

/** The stated bound: a revoked key, or one whose maker lost a role, stops working on every node within this time. */
export const apiKeyStaleness_ms = cacheBounds_ms.api_key;
const channel = 'netra:api_keys';
const maxEntries = 10_000;

interface Entry {
  readonly at_ms: number;
  readonly found: Promise<StoredApiKey | null>;
  stored: StoredApiKey | null;
}

export function createApiKeyCache({ clock, redis }: Pick<Platform, 'clock' | 'redis'>): ApiKeyCache {
  const entries = new Map<string, Entry>();
  const drop = (what: Forgotten): void => {
    // A key is looked up by hash, and revoked by id: rare enough to walk. What is being looked up may be the one.
    for (const [hash, { stored }] of entries) if (stored === null || isMeant(what, stored)) entries.delete(hash);
  };
  let listening: Promise<unknown> | null = null;
  const listen = (): void => {
    // For as long as the node lives. Not waited for: until it is there the bound holds.
    listening ??= redis.subscribe(channel, (message) => drop(JSON.parse(message) as Forgotten));
    listening.catch(() => (listening = null));
  };
  const remember = (hash: string, lookUp: () => Promise<StoredApiKey | null>): Promise<StoredApiKey | null> => {
    // Counted from before the query: what it reads may be that old.
    const entry: Entry = { at_ms: clock.nowMs(), found: lookUp(), stored: null };
    entries.delete(hash);
    entries.set(hash, entry);
    const oldest = entries.size > maxEntries ? entries.keys().next().value : undefined;
    if (oldest !== undefined) entries.delete(oldest);
    const dropThis = (): void => {
      if (entries.get(hash) === entry) entries.delete(hash);
    };
    // A miss is not kept: guessed keys must not push the real ones out.
    return entry.found.then(
      (stored) => {
        entry.stored = stored;
        if (!stored) dropThis();
        return stored;
      },
      (error: unknown) => {
        dropThis();
        throw error;
      },
    );
  };
  return {
    find(hash, lookUp) {
      listen();
      const entry = entries.get(hash);
      const age_ms = entry ? clock.nowMs() - entry.at_ms : Number.POSITIVE_INFINITY;
      return entry && age_ms >= 0 && age_ms < apiKeyStaleness_ms ? entry.found : remember(hash, lookUp);
    },
    async forget(what) {
      drop(what);
      await redis.publish(channel, JSON.stringify(what));
    },
  };
}

function isMeant(what: Forgotten, stored: StoredApiKey): boolean {
  if ('key_id' in what) return what.key_id === stored.key_id;
  return what.org_id === stored.org_id && what.user_id === stored.user_id;
}
