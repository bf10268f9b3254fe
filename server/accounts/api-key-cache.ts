import type { Clock, Role } from '../platform/index.ts';

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
  /** At once on this node; other nodes follow within `apiKeyStaleness_ms`. */
  forget(key_id: string): void;
}

/** The stated bound: a revoked key, or one whose maker lost a role, stops working on every node within this time. */
export const apiKeyStaleness_ms = 5_000;
const maxEntries = 10_000;

interface Entry {
  readonly at_ms: number;
  readonly found: Promise<StoredApiKey | null>;
  key_id: string | null;
}

export function createApiKeyCache(clock: Clock): ApiKeyCache {
  const entries = new Map<string, Entry>();
  const remember = (hash: string, lookUp: () => Promise<StoredApiKey | null>): Promise<StoredApiKey | null> => {
    // Counted from before the query: what it reads may be that old.
    const entry: Entry = { at_ms: clock.nowMs(), found: lookUp(), key_id: null };
    entries.delete(hash);
    entries.set(hash, entry);
    const oldest = entries.size > maxEntries ? entries.keys().next().value : undefined;
    if (oldest !== undefined) entries.delete(oldest);
    const drop = (): void => {
      if (entries.get(hash) === entry) entries.delete(hash);
    };
    // A miss is not kept: guessed keys must not push the real ones out.
    return entry.found.then(
      (stored) => {
        entry.key_id = stored?.key_id ?? null;
        if (!stored) drop();
        return stored;
      },
      (error: unknown) => {
        drop();
        throw error;
      },
    );
  };
  return {
    find(hash, lookUp) {
      const entry = entries.get(hash);
      const age_ms = entry ? clock.nowMs() - entry.at_ms : Number.POSITIVE_INFINITY;
      return entry && age_ms >= 0 && age_ms < apiKeyStaleness_ms ? entry.found : remember(hash, lookUp);
    },
    forget(key_id) {
      // A key is looked up by hash, and revoked by id: rare enough to walk.
      for (const [hash, entry] of entries) if (entry.key_id === key_id || entry.key_id === null) entries.delete(hash);
    },
  };
}
