import type { Statement } from '../../platform/index.ts';

/** Idempotent by id: the same request again finds its own thread. */
export function insertThread(org_id: string, thread_id: string, user_id: string, title: string): Statement {
  return {
    name: 'runs.insert_thread',
    text: `insert into netra.thread (org_id, thread_id, user_id, title) values ($1, $2, $3, $4)
      on conflict (org_id, thread_id) do nothing`,
    values: [org_id, thread_id, user_id, title],
  };
}

export function selectThread(org_id: string, thread_id: string): Statement {
  return {
    name: 'runs.select_thread',
    text: 'select thread_id, user_id, title, created_at from netra.thread where org_id = $1 and thread_id = $2',
    values: [org_id, thread_id],
  };
}

/** From the message behind `cursor` on, in either direction; message ids are in order of time. */
export function selectMessages(
  org_id: string,
  thread_id: string,
  page: { readonly cursor: string | null; readonly order: 'asc' | 'desc'; readonly limit: number },
): Statement {
  const beyond =
    page.order === 'asc'
      ? `> coalesce($3::uuid, '00000000-0000-0000-0000-000000000000')`
      : `< coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')`;
  return {
    name: `runs.select_messages_${page.order}`,
    text: `select message_id, run_id, author, content, created_at from netra.message
      where org_id = $1 and thread_id = $2 and message_id ${beyond}
      order by message_id ${page.order} limit $4`,
    values: [org_id, thread_id, page.cursor, page.limit],
  };
}
