import { NetraError } from '@netra/contract';
import { importJWK, type CryptoKey } from 'jose';
import type { Pool } from 'pg';
import { z } from 'zod';
import { cacheBounds_ms, type Clock } from '../platform/index.ts';
import { publicKeys, type PublicKeyRow } from './sql/signing-keys.ts';
import { rows } from './sql/rows.ts';
import { maxTokenTtl_s, tokenAlgorithm } from './token-claims.ts';

/** What better-auth stores as `public_key` (RFC 8037). */
const publicHalf = z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() });
export type PublicKey = z.infer<typeof publicHalf> & {
  readonly kid: string;
  readonly alg: typeof tokenAlgorithm;
  readonly use: 'sig';
};

/** Public halves of the keys that sign our tokens, kept in memory so that a check costs no round trip. */
export interface SigningKeys {
  /** The key of a `kid`; null if there is none. */
  find(kid: string): Promise<CryptoKey | null>;
  /** RFC 7517: what others check our tokens with. */
  jwks(): Promise<{ readonly keys: readonly PublicKey[] }>;
}

/** A key that was taken out of the table stops counting after this. */
const maxAge_ms = cacheBounds_ms.signing_keys;
/** While the database is away, the last keys go on counting this long. */
const maxStale_ms = 10 * 60_000;
/** Meanwhile one check in this time waits for it to answer, not each. */
const retryAfter_ms = 5_000;
/** Tokens with unknown kids, however many, cost one query in this time. */
const minBetween_ms = 1_000;
const maxKeys = 64;

interface Loaded {
  readonly at_ms: number;
  readonly keys: ReadonlyMap<string, CryptoKey>;
  readonly jwks: readonly PublicKey[];
}

export function openSigningKeys({ pool, clock }: { readonly pool: Pool; readonly clock: Clock }): SigningKeys {
  let loaded: Loaded = { at_ms: Number.NEGATIVE_INFINITY, keys: new Map(), jwks: [] };
  let loading: Promise<void> | null = null;
  let failed_at_ms = Number.NEGATIVE_INFINITY;

  const load = async (): Promise<void> => {
    const age_ms = clock.nowMs() - loaded.at_ms;
    // Wait rather than refuse: a key made on another node this second must not fail an honest token.
    if (age_ms >= 0 && age_ms < minBetween_ms)
      await new Promise((resolve) => setTimeout(resolve, minBetween_ms - age_ms));
    const found = await rows<PublicKeyRow>(pool, publicKeys(2 * maxTokenTtl_s, maxKeys));
    loaded = { at_ms: clock.nowMs(), ...(await importAll(found)) };
  };
  const reload = (): Promise<void> => (loading ??= load().finally(() => (loading = null)));
  const fresh = async (): Promise<Loaded> => {
    const age_ms = clock.nowMs() - loaded.at_ms;
    const trying = clock.nowMs() - failed_at_ms >= retryAfter_ms || age_ms > maxStale_ms;
    if (age_ms < maxAge_ms || !trying) return loaded;
    await reload().catch((error: unknown) => {
      failed_at_ms = clock.nowMs();
      if (age_ms > maxStale_ms) throw error;
    });
    return loaded;
  };

  return {
    async find(kid) {
      const known = (await fresh()).keys.get(kid);
      if (known) return known;
      await reload();
      return loaded.keys.get(kid) ?? null;
    },
    jwks: async () => ({ keys: (await fresh()).jwks }),
  };
}

async function importAll(found: readonly PublicKeyRow[]): Promise<Omit<Loaded, 'at_ms'>> {
  const keys = new Map<string, CryptoKey>();
  const jwks: PublicKey[] = [];
  for (const { id, public_key } of found) {
    const jwk: PublicKey = { ...publicHalf.parse(JSON.parse(public_key)), kid: id, alg: tokenAlgorithm, use: 'sig' };
    const key = await importJWK(jwk, tokenAlgorithm);
    if (key instanceof Uint8Array) throw new NetraError('internal', 'A signing key is symmetric');
    keys.set(id, key);
    jwks.push(jwk);
  }
  return { keys, jwks };
}
