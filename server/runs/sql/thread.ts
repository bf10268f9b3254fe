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

export function selectMessages(org_id: string, thread_id: string, after: string | null, limit: number): Statement {
  return {
    name: 'runs.select_messages',
    text: `select message_id, run_id, author, content, created_at from netra.message
      where org_id = $1 and thread_id = $2 and message_id > coalesce($3::uuid, '00000000-0000-0000-0000-000000000000')
      order by message_id limit $4`,
    values: [org_id, thread_id, after, limit],
  };
}
