import { createHash } from 'node:crypto';
import type { Principal } from '../platform/index.ts';
import type { StoredApiKey } from './api-key-cache.ts';
import { unauthenticated } from './unauthenticated.ts';
import { weakerRole } from './may-change-role.ts';
import type { AccountsRoom } from './room.ts';
import { apiKeyByHash, type ApiKeyRow } from './sql/api-keys.ts';
import { rows } from './sql/rows.ts';

/**
 * Who an API key belongs to. Found by the hash of the whole key, so no comparison of secrets happens here whose time
 * could tell how much of a guess was right. At most `apiKeyStaleness_ms` behind a revocation.
 */
export async function authenticateApiKey(room: AccountsRoom, key: string): Promise<Principal> {
  const hash = createHash('sha256').update(key).digest('base64url');
  const stored = await room.apiKeys.find(hash, () => lookUp(room, hash));
  if (!stored || (stored.expires_at_ms !== null && stored.expires_at_ms <= room.platform.clock.nowMs())) {
    throw unauthenticated();
  }
  const { org_id, user_id, role, expires_at_ms } = stored;
  return { org_id, user_id, role, kind: 'api_key', expires_at_ms };
}

async function lookUp(room: AccountsRoom, hash: string): Promise<StoredApiKey | null> {
  const [row] = await rows<ApiKeyRow>(room.pool, apiKeyByHash(hash));
  if (!row) return null;
  return {
    key_id: row.key_id,
    org_id: row.org_id,
    user_id: row.user_id,
    // A key never does more than its maker may do today.
    role: weakerRole(row.key_role, row.member_role),
    expires_at_ms: row.expires_at?.getTime() ?? null,
  };
}
