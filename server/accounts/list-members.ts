import { parseInput } from '../platform/index.ts';
import type { TenantCall } from './room.ts';
import { pageInput } from './schemas.ts';
import { membersOf, type ListedMember } from './sql/members.ts';
import { rows } from './sql/rows.ts';

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** The organisation's members, the first joined first. Every member may read it. */
export async function listMembers({ room, ctx, input }: TenantCall): Promise<Page<ListedMember>> {
  const { limit, cursor = null } = parseInput(pageInput, input);
  const found = await rows<ListedMember>(room.pool, membersOf(ctx.principal.org_id, cursor, limit + 1));
  return pageOf(found, limit, ({ member }) => member);
}

/** A page out of one row more than it holds: that row tells whether there is a next one. */
export function pageOf<Item>(found: readonly Item[], limit: number, id: (item: Item) => string): Page<Item> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: found.length > limit && last !== undefined ? id(last) : null };
}
