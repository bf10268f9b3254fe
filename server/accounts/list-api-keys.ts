import { NetraError } from '@netra/contract';
import { pageOf, type Page } from './list-members.ts';
import { parseInput } from '../platform/index.ts';
import type { TenantCall } from './room.ts';
import { pageInput } from './schemas.ts';
import { apiKeysOf, type ListedApiKey } from './sql/api-keys.ts';
import { rows } from './sql/rows.ts';

/** The organisation's keys, newest first, without their secrets. Owners and admins. */
export async function listApiKeys({ room, ctx, input }: TenantCall): Promise<Page<ListedApiKey>> {
  const { org_id, role } = ctx.principal;
  if (role !== 'owner' && role !== 'admin') throw new NetraError('forbidden', 'Your role does not allow reading keys');
  const { limit, cursor = null } = parseInput(pageInput, input);
  const found = await rows<ListedApiKey>(room.pool, apiKeysOf(org_id, cursor, limit + 1));
  return pageOf(found, limit, ({ key }) => key);
}
