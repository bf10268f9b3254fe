import { messagesQuery, NetraError } from '@netra/contract';
import { parseInput, type Ctx } from '../platform/index.ts';
import type { Message } from './list-messages.ts';
import type { Thread } from './run.ts';
import { selectMessages, selectThread } from './sql/thread.ts';

/** A page of what was said in a thread, from either end. Throws `not_found`, also for another organisation's (T1). */
export async function pageMessages({
  ctx,
  input,
}: {
  readonly ctx: Ctx;
  readonly input: { readonly thread: string } & Readonly<Record<string, unknown>>;
}): Promise<{ readonly items: readonly Message[]; readonly next: string | null }> {
  const { thread, ...query } = input;
  const { limit, cursor = null, order } = parseInput(messagesQuery, query);
  const { org_id } = ctx.principal;
  const rows = await ctx.platform.postgres.inOrg(org_id, async (tx) => {
    const [found] = await tx.rows<Thread>(selectThread(org_id, thread));
    if (!found) throw new NetraError('not_found', 'There is no such thread.');
    return tx.rows<Message>(selectMessages(org_id, thread, { cursor, order, limit: limit + 1 }));
  });
  const items = rows.slice(0, limit);
  return { items, next: rows.length > items.length ? (items.at(-1)?.message_id ?? null) : null };
}
