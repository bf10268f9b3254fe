import { NetraError } from '@netra/contract';
import { parseInput } from '../platform/index.ts';
import type { TenantCall } from './room.ts';
import { apiKeyInput } from './schemas.ts';
import { deleteApiKey } from './sql/api-keys.ts';
import { rows } from './sql/rows.ts';

/** Ends a key: at once, or within 5 s on a node that the word does not reach. Owners and admins. Throws `not_found`. */
export async function revokeApiKey({ room, ctx, input }: TenantCall): Promise<void> {
  const { org_id, role } = ctx.principal;
  if (role !== 'owner' && role !== 'admin') throw new NetraError('forbidden', 'Your role does not allow revoking keys');
  const { key } = parseInput(apiKeyInput, input);
  const revoked = await rows<{ id: string }>(room.pool, deleteApiKey(org_id, key));
  await room.apiKeys.forget({ key_id: key });
  if (revoked.length === 0) throw new NetraError('not_found', 'There is no such key');
}
