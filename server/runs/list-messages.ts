import type { Platform } from '../platform/index.ts';
import { selectMessages } from './sql/thread.ts';

/** What was said in a thread: the input of each run, and the output of each that completed. */
export interface Message {
  readonly message_id: string;
  readonly run_id: string;
  readonly author: 'user' | 'agent';
  readonly content: unknown;
  readonly created_at: Date;
}

/**
 * A thread's messages after `after`, oldest first; new ones come at the end, an answer where its run ended. Another
 * organisation's thread is empty.
 */
export async function listMessages(
  platform: Platform,
  thread: { readonly org_id: string; readonly thread_id: string },
  page: { readonly after?: string; readonly limit: number },
): Promise<readonly Message[]> {
  const statement = selectMessages(thread.org_id, thread.thread_id, {
    cursor: page.after ?? null,
    order: 'asc',
    limit: page.limit,
  });
  return platform.postgres.inOrg(thread.org_id, (tx) => tx.rows<Message>(statement));
}
