import type { Statement } from '../../platform/index.ts';
import type { Said } from '../said.ts';

/** Idempotent by id: the same request again finds its own thread. */
export function insertThread(
  org_id: string,
  thread_id: string,
  thread: { readonly user_id: string; readonly title: string; readonly prelude: readonly Said[] },
): Statement {
  const { user_id, title, prelude } = thread;
  return {
    name: 'runs.insert_thread',
    text: `insert into netra.thread (org_id, thread_id, user_id, title, prelude) values ($1, $2, $3, $4, $5)
      on conflict (org_id, thread_id) do nothing`,
    values: [org_id, thread_id, user_id, title, prelude.length === 0 ? null : JSON.stringify(prelude)],
  };
}

export function selectThread(org_id: string, thread_id: string): Statement {
  return {
    name: 'runs.select_thread',
    text: 'select thread_id, user_id, title, created_at from netra.thread where org_id = $1 and thread_id = $2',
    values: [org_id, thread_id],
  };
}

/** From the message behind `cursor` on, in either direction; ids are given in the order in which the thread is written (0031). */
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

/** An earlier run of a thread that answered: what it was asked, and its output. */
export interface TurnRow {
  readonly message_id: string;
  readonly agent: string;
  readonly input: unknown;
  readonly output: unknown;
}

/** Newest first, from the answer before `before` on. Answers are said as runs end, so this is the order of the talk. */
export function selectTurns(org_id: string, thread_id: string, before: string | null, limit: number): Statement {
  return {
    name: 'runs.select_turns',
    text: `select a.message_id, r.agent, r.input, a.content as output
      from netra.message a join netra.run r on r.org_id = a.org_id and r.run_id = a.run_id
      where a.org_id = $1 and a.thread_id = $2 and a.author = 'agent'
        and a.message_id < coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      order by a.message_id desc limit $4`,
    values: [org_id, thread_id, before, limit],
  };
}

export function selectPrelude(org_id: string, thread_id: string): Statement {
  return {
    name: 'runs.select_prelude',
    text: 'select prelude from netra.thread where org_id = $1 and thread_id = $2',
    values: [org_id, thread_id],
  };
}
