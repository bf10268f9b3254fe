import { createHash } from 'node:crypto';
import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import { storable } from './encode-event.ts';
import type { Thread } from './run.ts';
import { keptPrelude, type Said } from './said.ts';
import { insertThread, selectThread } from './sql/thread.ts';

/**
 * Starts a conversation. The same key again answers the same thread; with another title it is a conflict. `prelude`: what
 * was said before it came here, for the models of its runs; of a thread that is there already it changes nothing.
 */
export async function createThread({
  ctx,
  input,
}: {
  ctx: Ctx;
  input: {
    readonly title?: string | undefined;
    readonly prelude?: readonly Said[] | undefined;
    readonly idempotency_key: string;
  };
}): Promise<Thread> {
  const { org_id, user_id, role } = ctx.principal;
  if (role === 'viewer') throw new NetraError('forbidden', 'A viewer cannot start a conversation.');
  const title = input.title ?? '';
  const thread_id = threadIdOf(org_id, input.idempotency_key);
  const prelude = storable(keptPrelude(input.prelude ?? [])) as readonly Said[];
  const [thread] = await ctx.platform.postgres.inOrg(org_id, async (tx) => {
    await tx.rows(insertThread(org_id, thread_id, { user_id, title, prelude }));
    return tx.rows<Thread>(selectThread(org_id, thread_id));
  });
  if (!thread) throw new Error('a thread that was just made is not there');
  if (thread.title !== title) {
    throw new NetraError('idempotency_key_reused', 'This key was used to start another thread.', { thread: thread_id });
  }
  return thread;
}

/** The key is the id: a version 8 uuid (RFC 9562 §5.8) of organisation and key, so no table of keys is needed. */
export function threadIdOf(org_id: string, key: string): string {
  const hash = createHash('sha256').update(`thread\n${org_id}\n${key}`).digest('hex');
  const variant = ((Number.parseInt(hash.slice(16, 17), 16) & 3) | 8).toString(16);
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
